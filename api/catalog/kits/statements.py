"""The SQL of kits: how many units of one its components are enough for."""

from sqlalchemy import text

from api.catalog.statements import sellable

# Of a row `v` of product_variants: the fewest units that any component is enough for, none while one is not for sale.
ENOUGH = f"""(SELECT coalesce(min(CASE WHEN {sellable("o", "c")} THEN c.stock_quantity / k.units ELSE 0 END), 0)
            FROM kit_components k
            JOIN product_variants c ON c.variant_id = k.component_id JOIN products o ON o.product_id = c.product_id
            WHERE k.variant_id = v.variant_id)"""  # noqa: S608 - a constant
# The variants of these kits of which there are not as many as their rows say, with how many there are.
MISCOUNTED = text(
    f"""
    SELECT counted.variant_id, counted.units FROM (
        SELECT v.variant_id, v.stock_quantity, {ENOUGH} AS units FROM product_variants v
        WHERE v.product_id = ANY(CAST(:products AS uuid[]))
          AND EXISTS (SELECT FROM kit_components m WHERE m.variant_id = v.variant_id)) counted
    WHERE counted.units <> counted.stock_quantity"""  # noqa: S608 - a constant
)
