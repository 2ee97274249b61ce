"""A buyer's orders: pages of them, filtered, and buying one again."""
