"""Categories, products and variants."""
