"""Invariants of what is owed and of the parcels that wait for it."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I31-owed",
        "a warehouse owes no more than its seller allows and than parcels wait for, and nothing while it has units",
        """
        SELECT s.variant_id, s.warehouse_id, s.owed, s.backorder_limit, s.available, coalesce(w.units, 0) AS waited_for
        FROM warehouse_stock s
        LEFT JOIN (
          SELECT i.variant_id, i.warehouse_id, sum(i.quantity - coalesce(r.units, 0)) AS units
          FROM parcels p
          JOIN order_items i USING (parcel_id)
          LEFT JOIN (
            SELECT order_item_id, sum(quantity) AS units FROM returns WHERE status <> 'rejected' GROUP BY 1
          ) r USING (order_item_id)
          WHERE p.expected_on IS NOT NULL AND p.status IN ('pending', 'backordered')
          GROUP BY 1, 2
        ) w USING (variant_id, warehouse_id)
        WHERE s.owed > s.backorder_limit OR s.owed > coalesce(w.units, 0) OR (s.owed > 0 AND s.available > 0)
        """,
    ),
    Check(
        "R-I31-ready",
        "no paid parcel waits longer than one cleanup for units that are owed no more",
        """
        SELECT p.parcel_id, p.order_id FROM parcels p JOIN orders o USING (order_id)
        WHERE p.status = 'backordered' AND o.payment_status <> 'authorised' AND o.edited_by IS NULL
          AND p.updated_at < now() - make_interval(secs => %(cleanup)s)
          AND NOT EXISTS (
            SELECT FROM order_items i JOIN warehouse_stock s USING (variant_id, warehouse_id)
            WHERE i.parcel_id = p.parcel_id
              AND (s.owed > 0 OR s.updated_at >= now() - make_interval(secs => %(cleanup)s)))
        """,
    ),
)
