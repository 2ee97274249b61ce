"""View counts of products."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from api.catalog.models import Product, ProductCounter
from api.catalog.queries.counts import counts_of
from api.kernel.db import Tx


async def add_views(tx: Tx, views: Mapping[UUID, int]) -> None:
    """Add to `view_count`; unknown products are ignored, and products without counters get them."""
    if not views:
        return
    counted = counts_of(views)
    viewed = (
        select(Product.product_id, Product.category_id, counted.c.n)
        .join(counted, counted.c.product_id == Product.product_id)
        .order_by(Product.product_id)
    )
    statement = insert(ProductCounter).from_select(["product_id", "category_id", "view_count"], viewed)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["product_id"],
            set_={"view_count": ProductCounter.view_count + statement.excluded.view_count},
        )
    )
