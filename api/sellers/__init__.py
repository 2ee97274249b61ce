"""Stores: the public profiles of sellers."""
