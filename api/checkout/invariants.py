"""Invariants of checkouts and the carts that they claim."""

from api.checkout.saga.transitions import TERMINAL
from api.kernel.invariants import Check

_OVER = ", ".join(f"'{point}'" for point in sorted(TERMINAL))

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I16-claims",
        "no cart is claimed by a checkout that is over or does not exist",
        f"""
        SELECT c.cart_id, c.claimed_by, o.recovery_point
        FROM carts c LEFT JOIN checkouts o ON o.checkout_id = c.claimed_by
        WHERE c.claimed_by IS NOT NULL AND (o.checkout_id IS NULL OR o.recovery_point IN ({_OVER}, 'compensating'))
        """,
    ),
    Check(
        "R-I16-order",
        "the last order of a cart exists and is not pending",
        """
        SELECT c.cart_id, c.ordered_by, o.status
        FROM carts c LEFT JOIN orders o ON o.order_id = c.ordered_by
        WHERE c.ordered_by IS NOT NULL AND (o.order_id IS NULL OR o.status = 'pending')
        """,
    ),
)
