"""Invariants of labels, scans and lost parcels."""

from api.kernel.invariants import Check
from api.orders.returns.policy import POLICIES, has_label
from api.shipping.scans import SCAN_KINDS

_LABELLED = ", ".join(f"'{code}'" for code in POLICIES if has_label(code))
# The worker follows kept scans every two seconds.
_GRACE = "interval '60 seconds'"
# `scans.carriage_of` in SQL, over the scans of a parcel; a test compares the two on random sets.
RANK = f"array_position(ARRAY{list(SCAN_KINDS)}, s.kind::text)"
CARRIAGE = f"""CASE
    WHEN bool_or(s.kind = 'delivered') THEN 'delivered'
    ELSE replace((array_agg(s.kind ORDER BY s.occurred_at DESC, {RANK} DESC))[1], 'accepted', 'in_transit') END"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I30-scans",
        "a label's carriage is the one that follows from its parcel's scans, once they are taken into account",
        f"""
        SELECT l.label_id, l.carriage, follows.carriage AS follows FROM parcel_labels l
        LEFT JOIN (
          SELECT s.tracking_id, {CARRIAGE} AS carriage, max(s.created_at) AS newest FROM parcel_scans s GROUP BY 1
        ) follows USING (tracking_id)
        WHERE NOT l.due AND l.carriage IS DISTINCT FROM follows.carriage
          AND coalesce(follows.newest, l.updated_at) < now() - {_GRACE}
        """,
    ),
    Check(
        "R-I30-moved",
        "a packed parcel is where its scans say it is, unless it was given up",
        f"""
        SELECT p.parcel_id, p.status, l.carriage FROM parcel_labels l JOIN parcels p USING (parcel_id)
        WHERE l.status = 'bought' AND l.return_id IS NULL AND p.lost_at IS NULL AND l.updated_at < now() - {_GRACE}
          AND ((l.carriage IS NOT NULL AND p.status = 'processing')
            OR (l.carriage = 'delivered' AND p.status = 'shipped')
            OR (l.carriage = 'lost' AND p.status = 'shipped'))
        """,
    ),
    Check(
        "R-I30-due",
        "no packed parcel's kept scans wait for longer than the worker needs",
        f"""
        SELECT l.label_id, p.status, s.newest FROM parcel_labels l JOIN parcels p USING (parcel_id)
        JOIN (SELECT tracking_id, max(created_at) AS newest FROM parcel_scans GROUP BY 1) s USING (tracking_id)
        WHERE l.due AND p.status NOT IN ('pending', 'confirmed')
          AND greatest(s.newest, p.updated_at) < now() - {_GRACE}
        """,
    ),
    Check(
        "R-I30-lost",
        "a parcel that was given up is on its way, and of each of its units the money is given back",
        """
        SELECT p.parcel_id, p.status, i.order_item_id, i.quantity, r.units FROM parcels p
        JOIN order_items i USING (parcel_id)
        LEFT JOIN (
          SELECT order_item_id, sum(quantity) AS units FROM returns WHERE status <> 'rejected' GROUP BY 1
        ) r USING (order_item_id)
        WHERE p.lost_at IS NOT NULL AND (p.status <> 'shipped' OR i.quantity IS DISTINCT FROM r.units)
        """,
    ),
    Check(
        "R-I30-one",
        "a parcel has one label at a time, and a return too; a label that was bought has a tracking number",
        """
        SELECT parcel_id, return_id, count(*) AS labels,
               count(*) FILTER (WHERE status <> 'asked' AND tracking_number IS NULL) AS unnumbered
        FROM parcel_labels WHERE status IN ('asked', 'bought', 'cancelling') GROUP BY parcel_id, return_id
        HAVING count(*) > 1 OR count(*) FILTER (WHERE status <> 'asked' AND tracking_number IS NULL) > 0
        """,
    ),
    Check(
        "R-I30-return",
        "a label of a return is of units of its parcel that its seller takes back and pays for, and none is asked for"
        " while there is one",
        f"""
        SELECT r.return_id, r.status, r.reason_code, r.label_due, l.label_id FROM parcel_labels l
        JOIN returns r USING (return_id) JOIN order_items i USING (order_item_id)
        WHERE i.parcel_id <> l.parcel_id OR r.status NOT IN ('approved', 'refunded')
           OR r.reason_code NOT IN ({_LABELLED}) OR (r.label_due AND l.status <> 'refused')
        """,
    ),
)
