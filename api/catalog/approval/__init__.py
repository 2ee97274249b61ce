"""Whether a product may be sold: rules of risk judge it, and administrators decide what they hold back."""
