"""Changes of a product that are set for a time: put it on sale, take it off, and a price from one moment to another."""
