"""What sells: units per product over the last 90 days that have orders, for search ranking and the lower rungs of recommendations."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from api.kernel.db import ReadTx

# The window is relative to the newest order, not to today: loaded history keeps its real dates.
_UNITS = text(
    """
    SELECT i.product_id, sum(i.quantity)::int AS units
    FROM orders o JOIN order_items i USING (order_id)
    WHERE o.created_at >= (SELECT max(created_at) FROM orders) - interval '90 days' AND o.status <> 'cancelled'
    GROUP BY i.product_id ORDER BY units DESC, i.product_id LIMIT :limit
    """
)
_UNITS_BESIDE = text(
    """
    SELECT i.product_id, sum(i.quantity)::int AS units
    FROM products p JOIN order_items i USING (product_id) JOIN orders o USING (order_id)
    WHERE p.category_id = (SELECT category_id FROM products WHERE product_id = :product_id) AND p.product_id <> :product_id
      AND o.created_at >= (SELECT max(created_at) FROM orders) - interval '90 days' AND o.status <> 'cancelled'
    GROUP BY i.product_id ORDER BY units DESC, i.product_id LIMIT :limit
    """
)


async def units_sold(tx: ReadTx, limit: int) -> list[tuple[UUID, int]]:
    """The `limit` best sellers with their units, best first."""
    return [(row.product_id, row.units) for row in await tx.all(_UNITS, {"limit": limit})]


async def units_sold_beside(tx: ReadTx, product_id: UUID, limit: int) -> list[tuple[UUID, int]]:
    """The best sellers of the product's own category, without it."""
    return [(row.product_id, row.units) for row in await tx.all(_UNITS_BESIDE, {"product_id": product_id, "limit": limit})]
