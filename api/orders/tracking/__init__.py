"""Parcels on their way: what carriers' scans say, what follows from it, and who reads it."""
