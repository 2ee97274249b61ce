"""What sells: units per product over the 90 newest days that have orders; for lists, search and the lower fallbacks of
recommendations."""

from uuid import UUID

from sqlalchemy import text

from api.kernel.db import ReadTx

# Days with orders, not calendar days back from the newest: loaded history keeps its real dates, and the first order
# that follows it years later must not make all of it forgotten. Each step is one look into ix_orders_created.
_SINCE = """
    WITH RECURSIVE days AS (
      SELECT date_trunc('day', max(created_at), 'UTC') AS day, 1 AS n FROM orders
      UNION ALL
      SELECT (SELECT date_trunc('day', max(o.created_at), 'UTC') FROM orders o WHERE o.created_at < days.day), n + 1
      FROM days WHERE days.day IS NOT NULL AND n < 90
    )
    SELECT min(day) FROM days
"""
_IN_WINDOW = f"o.created_at >= ({_SINCE}) AND o.status <> 'cancelled'"
_PER_PRODUCT = f"""
    SELECT i.product_id, least(sum(i.quantity), 2147483647)::int AS units
    FROM orders o JOIN order_items i USING (order_id) WHERE {_IN_WINDOW} GROUP BY i.product_id
"""  # noqa: S608 - constants of this module
# For a bulk load, which writes rows without the job that keeps the column.
RANK_LOADED_PRODUCTS = (
    f"UPDATE products p SET units_sold_90d = s.units FROM ({_PER_PRODUCT}) s "  # noqa: S608 - a constant of this module
    "WHERE p.product_id = s.product_id"
)
_UNITS = text(f"{_PER_PRODUCT} ORDER BY units DESC, i.product_id LIMIT :limit")
_UNITS_BESIDE = text(
    f"""
    SELECT i.product_id, least(sum(i.quantity), 2147483647)::int AS units
    FROM products p JOIN order_items i USING (product_id) JOIN orders o USING (order_id)
    WHERE p.category_id = (SELECT category_id FROM products WHERE product_id = :product_id) AND p.product_id <>
    :product_id
      AND {_IN_WINDOW}
    GROUP BY i.product_id ORDER BY units DESC, i.product_id LIMIT :limit
    """  # noqa: S608 - constants of this module
)


async def units_sold(tx: ReadTx, limit: int) -> list[tuple[UUID, int]]:
    """The `limit` best sellers with their units, best first."""
    return [(row.product_id, row.units) for row in await tx.all(_UNITS, {"limit": limit})]


async def units_sold_beside(tx: ReadTx, product_id: UUID, limit: int) -> list[tuple[UUID, int]]:
    """The best sellers of the product's own category, without it."""
    return [
        (row.product_id, row.units) for row in await tx.all(_UNITS_BESIDE, {"product_id": product_id, "limit": limit})
    ]
