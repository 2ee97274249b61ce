"""Invariants of what is delivered online."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I40-delivered",
        "each unit that was delivered online has a key of its variant, or its line the right to download, no other has",
        """
        SELECT i.order_item_id, i.quantity, p.status, count(k.key_id) AS keys
        FROM order_items i JOIN parcels p USING (parcel_id)
        LEFT JOIN licence_keys k ON k.order_item_id = i.order_item_id AND k.variant_id = i.variant_id
        WHERE p.digital OR i.order_item_id IN (SELECT order_item_id FROM licence_keys WHERE order_item_id IS NOT NULL)
        GROUP BY i.order_item_id, p.parcel_id
        HAVING count(k.key_id) <> CASE
            WHEN NOT p.digital OR p.delivered_at IS NULL THEN 0
            WHEN EXISTS (SELECT FROM download_rights d WHERE d.order_item_id = i.order_item_id) THEN 0
            ELSE i.quantity - (SELECT coalesce(sum(r.quantity), 0) FROM returns r
                               WHERE r.order_item_id = i.order_item_id AND r.status <> 'rejected'
                                 AND r.created_at < p.delivered_at) END
        """,
    ),
    Check(
        "R-I40-parcels",
        "a parcel has goods that are delivered online, or others, and nobody carries the former",
        """
        SELECT p.parcel_id, p.digital, p.carrier, p.tracking_number, count(*) AS lines
        FROM parcels p JOIN order_items i USING (parcel_id) JOIN products g USING (product_id)
        GROUP BY p.parcel_id
        HAVING bool_or((g.kind = 'digital') <> p.digital) OR (p.digital AND (p.carrier, p.tracking_number) IS NOT NULL)
        """,
    ),
    Check(
        "R-I40-pool",
        "of digital goods no more is for sale than there are keys that nobody has",
        """
        SELECT v.variant_id, v.stock_quantity, count(k.key_id) AS keys
        FROM product_variants v JOIN products p USING (product_id)
        LEFT JOIN licence_keys k ON k.variant_id = v.variant_id AND k.order_item_id IS NULL AND k.withdrawal_id IS NULL
        WHERE p.kind = 'digital' AND NOT EXISTS (SELECT FROM digital_files f WHERE f.variant_id = v.variant_id)
        GROUP BY v.variant_id HAVING v.stock_quantity > count(k.key_id)
        """,
    ),
    Check(
        "R-I40-withdrawn",
        "each withdrawal took as many keys out of the pool of its variant as it says",
        """
        SELECT w.withdrawal_id, w.variant_id, w.keys, count(k.key_id) AS withdrawn
        FROM key_withdrawals w
        LEFT JOIN licence_keys k ON k.withdrawal_id = w.withdrawal_id AND k.variant_id = w.variant_id
        GROUP BY w.withdrawal_id HAVING w.keys <> count(k.key_id)
        """,
    ),
    Check(
        "R-I40-downloads",
        "who may download was delivered a file",
        """
        SELECT d.order_item_id, p.digital, p.status FROM download_rights d
        JOIN order_items i USING (order_item_id) JOIN parcels p USING (parcel_id)
        LEFT JOIN digital_files f ON f.variant_id = i.variant_id
        WHERE NOT p.digital OR p.delivered_at IS NULL OR f.variant_id IS NULL
        """,
    ),
)
