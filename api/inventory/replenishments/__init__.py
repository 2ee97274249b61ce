"""Units on their way to a warehouse."""
