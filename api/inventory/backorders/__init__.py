"""Units that are sold before a warehouse has them: how many, and until when they are there."""
