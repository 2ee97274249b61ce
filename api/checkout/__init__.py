"""The saga that turns a cart into a paid order; the only noun that orchestrates several."""
