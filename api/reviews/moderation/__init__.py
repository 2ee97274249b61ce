"""What waits for an administrator, what is decided about it, and what its author says to that."""
