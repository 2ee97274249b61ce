"""Where a test may stop an edit: before and after every effect that another process or the buyer can see."""

POINTS = frozenset(
    {
        "checkout.edit_before_begin",
        "checkout.edit_after_begin",
        "checkout.edit_before_authorise",
        "checkout.edit_after_authorise",
        "checkout.edit_after_confirm",
        "checkout.edit_before_capture",
        "checkout.edit_after_capture",
        "checkout.edit_after_complete",
        "checkout.edit_before_compensate",
        "checkout.edit_after_void",
    }
)
