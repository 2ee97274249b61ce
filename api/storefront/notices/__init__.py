"""Notices about products: what people report, what administrators make of it, and who is told."""
