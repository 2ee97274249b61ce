"""Kits in orders: lines of their components, which say what they were bought as."""
