"""What may come back, by which rule, and what came back."""
