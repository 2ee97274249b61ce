"""Kits: variants that are made of units of other variants of the same seller, and sold at a price of their own."""
