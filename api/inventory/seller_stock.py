"""A seller's stock as it is now, scarcest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from api.kernel.actor import Actor
from api.kernel.db import ReadTx

_SCARCEST = text(
    """
    SELECT v.variant_id, v.product_id, v.sku, v.stock_quantity, p.title
    FROM product_variants v JOIN products p USING (product_id)
    WHERE p.seller_id = :seller AND p.status = 'active' AND p.deleted_at IS NULL
    ORDER BY v.stock_quantity, p.title LIMIT :limit
    """
)
_TOTALS = text(
    """
    SELECT count(*) AS variants, coalesce(sum(v.stock_quantity), 0) AS units, count(*) FILTER (WHERE v.stock_quantity =
    0) AS sold_out,
           count(*) FILTER (WHERE v.stock_quantity BETWEEN 1 AND :low) AS low, coalesce(sum(v.stock_quantity * v.price),
           0) AS value
    FROM product_variants v JOIN products p USING (product_id)
    WHERE p.seller_id = :seller AND p.status = 'active' AND p.deleted_at IS NULL
    """
)
LOW_STOCK_UNITS = 15


async def scarcest(
    tx: ReadTx, actor: Actor, limit: int
) -> Sequence[Row[Any]]:  # Any: variant_id, product_id, sku, stock_quantity, title
    """The seller's variants with the fewest sellable units."""
    return await tx.all(_SCARCEST, {"seller": actor.user_id, "limit": limit})


async def totals(tx: ReadTx, actor: Actor) -> Row[Any] | None:  # Any: variants, units, sold_out, low, value
    """Counts over all of the seller's active variants; `low` means 1 to LOW_STOCK_UNITS."""
    return await tx.first(_TOTALS, {"seller": actor.user_id, "low": LOW_STOCK_UNITS})
