"""Checkout sessions of the Agentic Commerce Protocol: a thin adapter over quote and order placement."""
