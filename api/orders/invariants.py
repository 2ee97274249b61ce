"""Invariants of orders: sums, history, stock and payments."""

from api.kernel.invariants import Check
from api.orders.returns.policy import ADJUSTMENT_CODES
from api.orders.states import SOLD_STATES, TRANSITIONS

_ADJUSTED = ", ".join(f"'{code}'" for code in ADJUSTMENT_CODES)
_SOLD = ", ".join(f"'{state}'" for state in sorted(SOLD_STATES))
_STEPS = ", ".join(
    f"('{before}', '{after}')" for before, following in sorted(TRANSITIONS.items()) for after in sorted(following)
)

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I3-order",
        "a sold order's reservations are confirmed, but for those of an edit that is not paid or never was; a cancelled"
        " order's are released or expired",
        f"""
        SELECT r.reservation_id, r.status AS reservation, o.order_id, o.status AS order_status
        FROM inventory_reservations r JOIN orders o ON o.order_id = r.order_id
        WHERE (o.status IN ({_SOLD}) AND r.status <> 'confirmed' AND NOT EXISTS (
                 SELECT FROM order_edits e WHERE e.edit_id = r.checkout_id
                   AND (e.point = 'created' OR (e.point IN ('compensating', 'failed') AND r.status <> 'active'))))
           OR (o.status = 'cancelled' AND r.status IN ('active', 'confirmed'))
        """,
    ),
    Check(
        "R-I4-total",
        "an order's total is subtotal + tax - the tax that prices contain + shipping - discount",
        """
        SELECT order_id, total, subtotal, tax, tax_included, shipping_fee, discount FROM orders
        WHERE total <> subtotal + tax - tax_included + shipping_fee - discount
        """,
    ),
    Check(
        "R-I4-lines",
        "the lines' discounts are the order's, and their taxes too, but for the tax on shipping",
        """
        SELECT o.order_id, o.discount, i.discount AS of_lines, o.tax, i.tax AS tax_of_lines, o.shipping_fee
        FROM orders o
        JOIN (
          SELECT order_id, sum(discount) AS discount, sum(tax_amount) AS tax FROM order_items GROUP BY order_id
        ) i USING (order_id)
        WHERE i.discount <> o.discount
           OR o.tax - i.tax NOT BETWEEN 0 AND o.shipping_fee
        """,
    ),
    Check(
        "R-I4-snapshot",
        "every line of an order says what was bought, and its tax",
        """
        SELECT order_item_id, order_id FROM order_items
        WHERE title IS NULL OR sku IS NULL OR attributes IS NULL OR image_url IS NULL OR tax_amount IS NULL
           OR tax_rate IS NULL OR tax_class IS NULL
        """,
    ),
    Check(
        "R-I4-items",
        "an order has items, and its subtotal is the sum of quantity times price paid",
        """
        SELECT o.order_id, o.subtotal, i.amount AS items
        FROM orders o
        LEFT JOIN (
          SELECT order_id, sum(quantity * price_at_purchase) AS amount FROM order_items GROUP BY order_id
        ) i USING (order_id)
        WHERE i.amount IS DISTINCT FROM o.subtotal
        """,
    ),
    Check(
        "R-I5-captured",
        "an order is confirmed or later exactly when one payment captured what it cost, and one more for each edit that"
        " cost more: together its total, without what edits set off or gave back",
        f"""
        SELECT o.order_id, o.status, o.total, p.captures, p.captured, e.charges, e.unpaid
        FROM orders o
        LEFT JOIN (
          SELECT order_id, count(*) FILTER (WHERE captured_amount > 0) AS captures, sum(captured_amount) AS captured
          FROM payments GROUP BY order_id
        ) p USING (order_id)
        LEFT JOIN (
          SELECT order_id, count(*) FILTER (WHERE charged > 0) AS charges, sum(added - charged) AS unpaid
          FROM order_edits WHERE point = 'completed' GROUP BY order_id
        ) e USING (order_id)
        WHERE (o.status IN ({_SOLD}) AND (p.captures IS DISTINCT FROM 1 + coalesce(e.charges, 0)
               OR p.captured IS DISTINCT FROM o.total - coalesce(e.unpaid, 0)))
           OR (o.status = 'pending' AND coalesce(p.captured, 0) <> 0)
        """,
    ),
    Check(
        "R-I5-cancelled",
        "a cancelled order keeps no money, a refunded one what its returns do not give back, and another sold order has"
        " given all of its money back only when all of it was lost or some of it went back without a return",
        f"""
        SELECT o.order_id, o.status, p.kept, r.amount AS returned
        FROM orders o
        LEFT JOIN (
          SELECT order_id, sum(captured_amount - refunded_amount) AS kept FROM payments GROUP BY order_id
        ) p USING (order_id)
        LEFT JOIN (
          SELECT order_id, sum(refund_amount) AS amount FROM returns WHERE status = 'refunded' GROUP BY order_id
        ) r USING (order_id)
        WHERE (o.status = 'cancelled' AND coalesce(p.kept, 0) <> 0)
           OR (o.status = 'refunded' AND coalesce(p.kept, 0) <> o.total - coalesce(r.amount, 0))
           OR (o.status IN ({_SOLD}) AND o.status <> 'refunded' AND o.total > 0 AND coalesce(p.kept, 0) = 0
               AND EXISTS (
                 SELECT FROM parcels l WHERE l.order_id = o.order_id AND l.status <> 'cancelled' AND l.lost_at IS NULL
               )
               AND NOT EXISTS (
                 SELECT FROM returns a WHERE a.order_id = o.order_id AND a.status = 'refunded'
                   AND a.reason_code IN ({_ADJUSTED})))
        """,
    ),
    Check(
        "R-I7-returns",
        "no more units of a line are returned than were bought",
        """
        SELECT i.order_item_id, i.quantity, r.returned
        FROM order_items i
        JOIN (
          SELECT order_item_id, sum(quantity) AS returned FROM returns WHERE status <> 'rejected' GROUP BY 1
        ) r USING (order_item_id)
        WHERE r.returned > i.quantity
        """,
    ),
    Check(
        "R-I7-adjusted",
        "a line of which money went back without a return gave back no more goods or tax than were paid for it",
        f"""
        SELECT i.order_item_id, r.goods, r.tax
        FROM order_items i
        JOIN (
          SELECT order_item_id, sum(goods_amount + fee_amount) AS goods, sum(tax_amount - shipping_tax) AS tax
          FROM returns WHERE status <> 'rejected'
          GROUP BY order_item_id HAVING bool_or(reason_code IN ({_ADJUSTED}))
        ) r USING (order_item_id)
        WHERE r.goods > i.subtotal - i.discount - CASE WHEN i.tax_included THEN i.tax_amount ELSE 0 END
           OR r.tax > i.tax_amount
        """,
    ),
    Check(
        "R-I7-whole",
        "a refunded order got every unit back, and gave back all that was paid for the goods and their tax",
        """
        SELECT o.order_id, i.units, r.units AS returned, i.goods, r.goods AS given, i.tax, r.tax AS tax_given
        FROM orders o
        JOIN (
          SELECT order_id, sum(quantity) AS units, sum(tax_amount) AS tax,
                 sum(subtotal - discount - CASE WHEN tax_included THEN tax_amount ELSE 0 END) AS goods
          FROM order_items GROUP BY order_id
        ) i USING (order_id)
        LEFT JOIN (
          SELECT order_id, sum(quantity) AS units, sum(goods_amount + fee_amount) AS goods,
                 sum(tax_amount - shipping_tax) AS tax
          FROM returns WHERE status = 'refunded' GROUP BY order_id
        ) r USING (order_id)
        WHERE o.status = 'refunded'
          AND (i.units IS DISTINCT FROM r.units OR i.goods IS DISTINCT FROM r.goods OR i.tax IS DISTINCT FROM r.tax)
        """,
    ),
    Check(
        "R-I7-parts",
        "a return's refund, and each of its events, is the sum of its goods, tax and shipping",
        """
        SELECT return_id, to_status, refund_amount, goods_amount, tax_amount, shipping_amount FROM (
          SELECT return_id, status AS to_status, refund_amount, goods_amount, tax_amount, shipping_amount FROM returns
          UNION ALL
          SELECT return_id, to_status, refund_amount, goods_amount, tax_amount, shipping_amount FROM return_events
        ) part
        WHERE refund_amount IS DISTINCT FROM goods_amount + tax_amount + shipping_amount
        """,
    ),
    Check(
        "R-I7-return-events",
        "every return has an event of the status it has, which dates it",
        """
        SELECT r.return_id, r.status FROM returns r
        LEFT JOIN return_events e ON e.return_id = r.return_id AND e.to_status = r.status
        WHERE e.return_id IS NULL
        """,
    ),
    Check(
        "R-I8-transition",
        "every step of an order has exactly one event",
        """
        SELECT order_id, e.steps, x.events
        FROM (SELECT order_id, count(*) AS steps FROM order_events GROUP BY order_id) e
        FULL JOIN (
          SELECT aggregate_id AS order_id, count(*) AS events FROM outbox_events
          WHERE aggregate_type = 'order' GROUP BY 1
        ) x USING (order_id)
        WHERE e.steps IS DISTINCT FROM x.events
        """,
    ),
    Check(
        "R-I10-start",
        "every order's history begins with a step into pending",
        """
        SELECT o.order_id, o.status FROM orders o
        LEFT JOIN order_events e ON e.order_id = o.order_id AND e.sequence = 1
        WHERE e.to_status IS DISTINCT FROM 'pending' OR e.from_status IS NOT NULL
        """,
    ),
    Check(
        "R-I10-path",
        "every later step is one the state machine allows, from where the step before ended, or an edit, which stays"
        " there; with no number left out",
        f"""
        SELECT order_id, sequence, from_status, to_status, before FROM (
          SELECT order_id, sequence, from_status, to_status, reason,
                 lag(to_status) OVER path AS before, row_number() OVER path AS place
          FROM order_events WINDOW path AS (PARTITION BY order_id ORDER BY sequence)
        ) step
        WHERE sequence <> place
           OR (place > 1 AND (from_status IS DISTINCT FROM before OR (from_status, to_status) NOT IN (VALUES {_STEPS})
               AND NOT (from_status = to_status AND from_status IN ('confirmed', 'processing') AND reason = 'edited')))
        """,
    ),
    Check(
        "R-I10-end",
        "an order's status is where its history ends",
        """
        SELECT o.order_id, o.status, e.to_status FROM orders o
        JOIN (
          SELECT DISTINCT ON (order_id) order_id, to_status FROM order_events ORDER BY order_id, sequence DESC
        ) e USING (order_id)
        WHERE o.status <> e.to_status
        """,
    ),
)
