"""Reads of the catalog: the category tree, lists, one product, and what others need to know about a variant."""
