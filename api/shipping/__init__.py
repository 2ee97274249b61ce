"""Carriers: what they ask for a parcel, their labels, and what they say of it on its way. No tables of its own."""
