"""A seller's own products, drafts among them."""
