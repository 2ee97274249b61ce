"""Where a test may stop an exchange: between its claim on the old order, the new order, and the return."""

POINTS = frozenset({"checkout.exchange_after_begin", "checkout.exchange_after_order", "checkout.exchange_after_return"})
