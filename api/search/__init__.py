"""Full text over the catalogue."""
