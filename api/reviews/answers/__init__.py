"""What a seller answers to a review of their product."""
