"""What the design's traffic needs, computed from measured costs. docs/capacity.md is rendered from it."""
