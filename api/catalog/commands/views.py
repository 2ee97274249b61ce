"""View counts of products."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select, update

from api.catalog.models import Product
from api.catalog.queries.counts import counts_of
from api.kernel.db import Tx


async def add_views(tx: Tx, views: Mapping[UUID, int]) -> None:
    """Add to `view_count`; unknown products are ignored. Version and change time stay: a view is not an edit."""
    if not views:
        return
    counted = counts_of(views)
    viewed = (
        select(Product.product_id, counted.c.n)
        .join(counted, counted.c.product_id == Product.product_id)
        .order_by(Product.product_id)
        .with_for_update(of=Product)
        .cte("viewed")
    )
    statement = update(Product).where(Product.product_id == viewed.c.product_id)
    await tx.execute(statement.values(view_count=Product.view_count + viewed.c.n))
