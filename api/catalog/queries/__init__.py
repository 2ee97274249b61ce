"""Reads of the catalog: the category tree, lists, one product, and the offers that other nouns need."""
