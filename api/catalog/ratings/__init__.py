"""What the catalog shows of a product's reviews."""
