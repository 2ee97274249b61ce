"""The seller's public face and dashboard."""
