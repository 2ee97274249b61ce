"""Brands, whatever way sellers spell them."""
