"""Invariants of kits."""

from api.catalog.kits.statements import ENOUGH
from api.kernel.invariants import Check

# How long the relay may take to say how many there are of a kit, when it is far behind.
_BEHIND = "interval '1 minute'"

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I37-components",
        "what a kit is made of is of its seller, and no kit",
        """
        SELECT k.variant_id, k.component_id FROM kit_components k
        JOIN product_variants v ON v.variant_id = k.variant_id JOIN products p ON p.product_id = v.product_id
        JOIN product_variants c ON c.variant_id = k.component_id JOIN products o ON o.product_id = c.product_id
        WHERE c.seller_id <> v.seller_id OR p.kind <> 'kit' OR o.kind <> 'physical'
        """,
    ),
    Check(
        "R-I37-count",
        "of a variant of a kit there are as many as its components are enough for, but for what changed a moment ago",
        f"""
        SELECT v.variant_id, v.stock_quantity, {ENOUGH} AS enough
        FROM product_variants v JOIN products p ON p.product_id = v.product_id
        WHERE p.kind = 'kit' AND v.stock_quantity <> {ENOUGH} AND NOT EXISTS (
            SELECT FROM kit_components k JOIN product_variants c ON c.variant_id = k.component_id
            JOIN products o ON o.product_id = c.product_id
            WHERE k.variant_id = v.variant_id AND greatest(c.updated_at, o.updated_at) > now() - {_BEHIND})
        """,
    ),
    Check(
        "R-I37-stock",
        "a kit has no stock of its own in any warehouse",
        """
        SELECT s.variant_id, s.warehouse_id FROM warehouse_stock s
        JOIN product_variants v USING (variant_id) JOIN products p USING (product_id)
        WHERE p.kind = 'kit'
        """,
    ),
)
