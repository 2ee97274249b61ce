"""Recommendations from the serving process, with fallbacks when it does not answer."""
