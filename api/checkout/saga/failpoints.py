"""Where a test may stop a checkout: before and after every effect that another process or the buyer can see."""

POINTS = frozenset(
    {
        "checkout.before_create",
        "checkout.after_create",
        "checkout.before_authorise",
        "checkout.after_authorise",
        "checkout.after_confirm",
        "checkout.before_capture",
        "checkout.after_capture",
        "checkout.after_complete",
        "checkout.before_compensate",
        "checkout.after_void",
    }
)
