"""Parcels that wait for units which no warehouse had when they were ordered."""
