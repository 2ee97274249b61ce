"""What speaks against a review: what its text says, how alike it is to others, and one table of rules."""
