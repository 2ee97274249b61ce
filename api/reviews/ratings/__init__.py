"""Counts and averages of products and their sellers, kept by event."""
