"""Helpful or not: one vote of each shopper, changed and taken back, and the order that follows."""
