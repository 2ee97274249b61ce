"""Units sold of each product in the last 90 days with orders; `sort=popularity` reads them."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from api.catalog.models import PricePoint, Product, ProductCounter
from api.catalog.queries.counts import counts_of
from api.kernel.db import Tx

LISTED = ("category_id", "on_sale", "in_stock", "prime_eligible")


async def set_units_sold(tx: Tx, units: Mapping[UUID, int]) -> int:
    """Set `units_sold_90d` to `units`, and to 0 for products not in it; returns how many rows changed.

    Products without counters get them first, and counters what their price points say: the list in order of
    popularity is one read of the counters' index, so it holds no product without them.
    """
    bare = (
        select(Product.product_id, Product.category_id)
        .outerjoin(ProductCounter, ProductCounter.product_id == Product.product_id)
        .where(ProductCounter.product_id.is_(None))
    )
    await tx.execute(insert(ProductCounter).from_select(["product_id", "category_id"], bare).on_conflict_do_nothing())
    wrong = tuple_(*(getattr(ProductCounter, name) for name in LISTED)).is_distinct_from(
        tuple_(*(getattr(PricePoint, name) for name in LISTED))
    )
    listed = update(ProductCounter).where(
        ProductCounter.product_id == PricePoint.product_id, PricePoint.lower_price.is_(None), wrong
    )
    await tx.execute(listed.values({name: getattr(PricePoint, name) for name in LISTED}))
    sold = counts_of(units)
    new = func.coalesce(sold.c.n, 0)
    changed = (
        select(ProductCounter.product_id, new.label("units"))
        .outerjoin(sold, sold.c.product_id == ProductCounter.product_id)
        .where(ProductCounter.units_sold_90d != new)
        .order_by(ProductCounter.product_id)
        .with_for_update(of=ProductCounter)
        .cte("changed")
    )
    statement = update(ProductCounter).where(ProductCounter.product_id == changed.c.product_id)
    return (await tx.execute(statement.values(units_sold_90d=changed.c.units))).rowcount
