"""View counts of products."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select, update

from api.catalog.models import ProductCounter
from api.catalog.queries.counts import counts_of
from api.kernel.db import Tx


async def add_views(tx: Tx, views: Mapping[UUID, int]) -> None:
    """Add to `view_count`; unknown products are ignored."""
    if not views:
        return
    counted = counts_of(views)
    viewed = (
        select(ProductCounter.product_id, counted.c.n)
        .join(counted, counted.c.product_id == ProductCounter.product_id)
        .order_by(ProductCounter.product_id)
        .with_for_update(of=ProductCounter)
        .cte("viewed")
    )
    statement = update(ProductCounter).where(ProductCounter.product_id == viewed.c.product_id)
    await tx.execute(statement.values(view_count=ProductCounter.view_count + viewed.c.n))
