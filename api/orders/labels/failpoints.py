"""Places between asking a carrier and writing down what it did, and between storing what it says and following it."""

POINTS = frozenset(
    {"shipping.before_buying", "shipping.after_buying", "shipping.after_cancelling", "shipping.after_taking"}
)
