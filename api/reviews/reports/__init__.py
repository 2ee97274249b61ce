"""What shoppers report of reviews."""
