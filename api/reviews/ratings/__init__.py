"""Counts and average of a product, kept by event."""
