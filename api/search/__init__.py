"""Full text over the catalog."""
