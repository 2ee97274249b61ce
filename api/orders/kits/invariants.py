"""Invariants of kits in orders."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I38-price",
        "the lines of a kit's components, as they were bought, cost what the kit did",
        """
        SELECT order_id, kit ->> 'variantId' AS kit, max(kit ->> 'price') AS price, max(kit ->> 'quantity') AS kits,
               sum(subtotal) AS lines
        FROM order_items WHERE kit IS NOT NULL AND edit_id IS NULL
        GROUP BY order_id, kit ->> 'variantId'
        HAVING count(DISTINCT kit) > 1
            OR sum(subtotal) <> max(CAST(kit ->> 'price' AS numeric) * CAST(kit ->> 'quantity' AS int))
        """,
    ),
    Check(
        "R-I38-units",
        "of each component as many whole kits were bought as of the others",
        """
        SELECT order_id, kit ->> 'variantId' AS kit, variant_id, max(kit ->> 'quantity') AS kits, sum(quantity) AS units
        FROM order_items WHERE kit IS NOT NULL AND edit_id IS NULL
        GROUP BY order_id, kit ->> 'variantId', variant_id
        HAVING mod(sum(quantity), max(CAST(kit ->> 'quantity' AS int))) <> 0
        """,
    ),
)
