"""Licence keys: the pool of a digital variant is its stock, and each of its keys is of one unit, once."""
