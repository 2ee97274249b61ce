"""Invariants of kits."""

from api.catalog.kits.statements import ENOUGH
from api.kernel.invariants import Check

# Until when the relay has told of every change: how many there are of a kit follows from the events of its components.
_TOLD = """(
            SELECT coalesce(min(e.created_at), now()) - interval '1 minute' FROM outbox_events e
            WHERE e.published_at IS NULL)"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I37-components",
        "what a kit is made of is of its seller, and no kit",
        """
        SELECT k.variant_id, k.component_id FROM kit_components k
        JOIN product_variants v ON v.variant_id = k.variant_id JOIN products p ON p.product_id = v.product_id
        JOIN product_variants c ON c.variant_id = k.component_id JOIN products o ON o.product_id = c.product_id
        WHERE c.seller_id <> v.seller_id OR p.kind <> 'kit' OR o.kind = 'kit'
        """,
    ),
    Check(
        "R-I37-count",
        "there are of a kit as many as its components are enough for, as far as the relay has told of them",
        f"""
        SELECT v.variant_id, v.stock_quantity, {ENOUGH} AS enough
        FROM product_variants v JOIN products p ON p.product_id = v.product_id
        WHERE p.kind = 'kit' AND v.stock_quantity <> {ENOUGH} AND NOT EXISTS (
            SELECT FROM kit_components k JOIN product_variants c ON c.variant_id = k.component_id
            JOIN products o ON o.product_id = c.product_id
            WHERE k.variant_id = v.variant_id AND greatest(c.updated_at, o.updated_at) > {_TOLD})
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
