"""What is described and sold: categories, products, variants."""
