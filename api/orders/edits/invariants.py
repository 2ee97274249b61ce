"""Invariants of edits: what they charged and gave back, and that none holds an order without need."""

from api.kernel.invariants import Check
from api.orders.states import SOLD_STATES

_SOLD = ", ".join(f"'{state}'" for state in sorted(SOLD_STATES))

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I5-due",
        "of an edited order that is sold, what was captured and neither given nor asked back is its total without what"
        " its returns give back",
        f"""
        SELECT o.order_id, o.total, p.captured, r.amount AS refunds, b.amount AS returned
        FROM orders o
        JOIN (SELECT order_id, sum(captured_amount) AS captured FROM payments GROUP BY order_id) p USING (order_id)
        LEFT JOIN (
          SELECT order_id, sum(amount) AS amount FROM refunds WHERE status <> 'failed' GROUP BY order_id
        ) r USING (order_id)
        LEFT JOIN (
          SELECT order_id, sum(refund_amount) AS amount FROM returns WHERE status IN ('approved', 'refunded')
          GROUP BY order_id
        ) b USING (order_id)
        WHERE o.edits > 0 AND o.status IN ({_SOLD})
          AND p.captured - coalesce(r.amount, 0) <> o.total - coalesce(b.amount, 0)
        """,
    ),
    Check(
        "R-I20-claim",
        "an order is left to an edit exactly while that is being paid for, or to an exchange while that is on its way",
        """
        SELECT o.order_id, o.edited_by, e.edit_id, e.point
        FROM orders o FULL JOIN (
          SELECT order_id, edit_id, point FROM order_edits WHERE point IN ('created', 'confirmed')
          UNION ALL
          SELECT order_id, exchange_id, point FROM order_exchanges WHERE point = 'asked'
        ) e ON e.order_id = o.order_id
        WHERE o.edited_by IS DISTINCT FROM e.edit_id
        """,
    ),
    Check(
        "R-I20-count",
        "an order counts the edits that changed it",
        """
        SELECT o.order_id, o.edits, e.edits AS completed FROM orders o
        LEFT JOIN (
          SELECT order_id, count(*) AS edits FROM order_edits WHERE point = 'completed' GROUP BY order_id
        ) e USING (order_id)
        WHERE o.edits <> coalesce(e.edits, 0)
        """,
    ),
    Check(
        "R-I20-paid",
        "the payment of a completed edit captured what it charged, and no other edit captured anything",
        """
        SELECT e.edit_id, e.order_id, e.point, e.charged, p.captured_amount
        FROM order_edits e LEFT JOIN payments p USING (payment_id)
        WHERE coalesce(p.captured_amount, 0) <> CASE WHEN e.point = 'completed' THEN e.charged ELSE 0 END
        """,
    ),
    Check(
        "R-I20-units",
        "what a completed edit took off is what the returns of its units give back",
        """
        SELECT e.edit_id, e.order_id, e.cancelled, r.amount AS returned
        FROM order_edits e
        LEFT JOIN (
          SELECT edit_id, sum(refund_amount) AS amount FROM returns WHERE status IN ('approved', 'refunded')
          GROUP BY edit_id
        ) r USING (edit_id)
        WHERE e.point = 'completed' AND e.cancelled <> coalesce(r.amount, 0)
        """,
    ),
)
