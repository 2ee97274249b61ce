"""What a shopper looked at lately."""
