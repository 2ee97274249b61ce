"""How often a product was looked at."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text

from api.kernel.db import Tx

_ADD = text(
    """
    WITH viewed AS MATERIALIZED (
      SELECT p.product_id, v.n
      FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS int[])) AS v(product_id, n) JOIN products p USING (product_id)
      ORDER BY p.product_id FOR UPDATE OF p
    )
    UPDATE products p SET view_count = p.view_count + viewed.n FROM viewed WHERE p.product_id = viewed.product_id
    """
)


async def add_views(tx: Tx, views: Mapping[UUID, int]) -> None:
    """Add to `view_count`; unknown products are ignored. Neither version nor change time moves: a look is not an
    edit."""
    if views:
        await tx.execute(_ADD, {"ids": list(views), "counts": list(views.values())})
