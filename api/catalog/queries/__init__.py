"""Reads of the catalogue: the category tree, lists, one product, and what others need to know about a variant."""
