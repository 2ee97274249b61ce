"""Pages that a review puts out of date: those of its product, also in lists and search."""

from collections.abc import Collection, Sequence

from api.catalog.pages import product_tag
from api.kernel.db import ReadTx
from api.kernel.outbox import Drop, Pending
from api.reviews.ratings.doors import products_of


async def _products(tx: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    return {product_tag(product) for product in products_of(events)}


DROPS: tuple[Drop, ...] = (_products,)
