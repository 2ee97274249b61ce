"""Questions about products, and answers to them."""
