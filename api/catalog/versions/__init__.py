"""The versions of a product: what it was after each change, who changed it, and the way back."""
