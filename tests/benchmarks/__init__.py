"""Measurements, never assertions: each prints JSON lines and appends them to docs/results/, from which the README's
tables are rendered."""
