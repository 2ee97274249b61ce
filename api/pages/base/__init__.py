"""The base of every page: the browser session."""
