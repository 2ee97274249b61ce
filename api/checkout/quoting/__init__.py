"""What the database knows about a request for an order."""
