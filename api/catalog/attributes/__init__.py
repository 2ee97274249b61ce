"""Attribute definitions: what a category says of the attributes of its products, and what follows for their values."""
