"""The languages of products' texts: what a save keeps of them, and what a reader is shown."""
