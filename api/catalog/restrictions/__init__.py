"""To whom and where a product is sold: from an age on, and to which countries."""
