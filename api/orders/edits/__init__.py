"""Edits of placed orders: what is stored of them, and what they change."""
