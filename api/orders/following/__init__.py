"""What follows from the events of orders, in the worker's relay."""
