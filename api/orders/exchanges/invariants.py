"""Invariants of exchanges: whoever paid for the new order has the return of the old units, and nobody pays twice."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I21-returned",
        "an exchange is completed exactly when the return of its units names its new order",
        """
        SELECT e.exchange_id, e.order_id, e.point, e.exchange_order_id, r.returns
        FROM order_exchanges e
        LEFT JOIN (
          SELECT order_id, exchange_order_id, count(*) AS returns FROM returns
          WHERE exchange_order_id IS NOT NULL GROUP BY 1, 2
        ) r ON (r.order_id, r.exchange_order_id) = (e.order_id, e.exchange_order_id)
        WHERE (e.point = 'completed') <> (coalesce(r.returns, 0) = 1)
        """,
    ),
    Check(
        "R-I21-placed",
        "an order that was placed for an exchange is that of one that is asked for or completed",
        """
        SELECT c.checkout_id, c.order_id, c.idempotency_key FROM checkouts c
        LEFT JOIN order_exchanges e ON 'exchange-' || e.exchange_id = c.idempotency_key
        WHERE c.recovery_point = 'completed' AND c.idempotency_key ~ '^exchange-[0-9a-f]{8}-[0-9a-f]{4}-'
          AND (e.exchange_id IS NULL OR coalesce(e.exchange_order_id, c.order_id) <> c.order_id)
        """,
    ),
)
