"""What serving answers, with a ladder of fallbacks."""
