"""Warehouses, as every process keeps them."""
