"""Parcels: what one seller sends from one warehouse in one order. An order's status follows from its parcels."""
