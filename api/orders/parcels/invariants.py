"""Invariants of parcels: their lines, their histories, and their order's status."""

from api.kernel.invariants import Check
from api.orders.states import TRANSITIONS

_STEPS = ", ".join(
    f"('{before}', '{after}')" for before, following in sorted(TRANSITIONS.items()) for after in sorted(following)
)
_DELIVERED = "'delivered', 'return_requested', 'return_approved', 'refunded'"
_LEFT = "status <> 'cancelled' AND NOT lost"
# `derived.order_status` in SQL, over the rows of a group; a test compares the two on every set of parcels.
ORDER_STATUS = f"""CASE
    WHEN NOT bool_or({_LEFT}) THEN CASE WHEN bool_or(lost) THEN 'shipped' ELSE 'cancelled' END
    WHEN bool_or(status = 'pending') THEN 'pending'
    WHEN bool_and(status IN ({_DELIVERED}) OR NOT ({_LEFT})) THEN
      CASE WHEN count(DISTINCT status) FILTER (WHERE {_LEFT}) = 1
           THEN max(status) FILTER (WHERE {_LEFT}) ELSE 'delivered' END
    WHEN bool_and(status IN ({_DELIVERED}, 'shipped') OR NOT ({_LEFT})) THEN 'shipped'
    WHEN bool_or(status IN ({_DELIVERED}, 'shipped', 'processing') OR begun OR lost) THEN 'processing'
    ELSE 'confirmed' END"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I17-lines",
        "every line is in a parcel of its order, seller and warehouse and has its status, and no parcel is empty",
        """
        SELECT p.parcel_id, i.order_item_id, p.status AS parcel, i.status AS line
        FROM order_items i FULL JOIN parcels p ON p.parcel_id = i.parcel_id
        WHERE (p.order_id, p.seller_id, p.warehouse_id, p.status)
              IS DISTINCT FROM (i.order_id, i.seller_id, i.warehouse_id, i.status)
        """,
    ),
    Check(
        "R-I17-order",
        "an order's status is the one that follows from its parcels",
        f"""
        SELECT order_id, o.status, p.status AS follows FROM orders o
        JOIN (
          SELECT order_id, {ORDER_STATUS} AS status
          FROM (
            SELECT order_id, status, begun_at IS NOT NULL AS begun, lost_at IS NOT NULL AS lost FROM parcels
          ) parcel GROUP BY order_id
        ) p USING (order_id)
        WHERE o.status IS DISTINCT FROM p.status
        """,
    ),
    Check(
        "R-I17-numbers",
        "the parcels of an order are numbered from 1 without a gap",
        """
        SELECT order_id, count(*) AS parcels, max(number) AS last FROM parcels
        GROUP BY order_id HAVING min(number) <> 1 OR max(number) <> count(*)
        """,
    ),
    Check(
        "R-I17-address",
        "what is sent goes to a whole address",
        """
        SELECT p.parcel_id, p.order_id FROM parcels p JOIN orders o USING (order_id)
        WHERE NOT p.digital
          AND NOT (coalesce(p.shipping_address, o.shipping_address) ?& ARRAY['street', 'city', 'country'])
        """,
    ),
    Check(
        "R-I17-path",
        "a parcel's history begins in pending and goes on by steps of the state machine, with no number left out",
        f"""
        SELECT parcel_id, sequence, from_status, to_status, before FROM (
          SELECT parcel_id, sequence, from_status, to_status,
                 lag(to_status) OVER path AS before, row_number() OVER path AS place
          FROM parcel_events WINDOW path AS (PARTITION BY parcel_id ORDER BY sequence)
        ) step
        WHERE sequence <> place
           OR (place = 1 AND (from_status, to_status) IS DISTINCT FROM (NULL, 'pending'))
           OR (place > 1 AND (from_status IS DISTINCT FROM before OR (from_status, to_status) NOT IN (VALUES {_STEPS})))
        """,
    ),
    Check(
        "R-I17-end",
        "a parcel's status is where its history ends",
        """
        SELECT p.parcel_id, p.status, e.to_status FROM parcels p
        LEFT JOIN (
          SELECT DISTINCT ON (parcel_id) parcel_id, to_status FROM parcel_events ORDER BY parcel_id, sequence DESC
        ) e USING (parcel_id)
        WHERE p.status IS DISTINCT FROM e.to_status
        """,
    ),
    Check(
        "R-I17-event",
        "every published event of a parcel is a step of its history",
        """
        SELECT o.event_id, o.aggregate_id AS parcel_id, o.event_type FROM outbox_events o
        WHERE o.aggregate_type = 'parcel' AND NOT EXISTS (
          SELECT FROM parcel_events e WHERE e.parcel_id = o.aggregate_id
            AND (e.from_status, e.to_status) = (o.payload ->> 'from', o.payload ->> 'to'))
        """,
    ),
)
