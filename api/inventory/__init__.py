"""Stock: where it lies, what is held, every change."""
