"""Where a test may stop a delivery: between the payment and the keys, with keys that are not committed, and after."""

POINTS = frozenset({"orders.digital_before_delivery", "orders.digital_before_commit", "orders.digital_after_commit"})
