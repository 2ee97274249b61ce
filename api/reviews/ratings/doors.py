"""What follows from reviews: the counts and the average of their products, and of the sellers of those."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.reviews.events import AGGREGATE
from api.reviews.ratings.commands import count_anew, rate_sellers


def products_of(events: Sequence[Pending]) -> dict[UUID, UUID]:
    """The products that events of reviews are about, with the seller of each."""
    told = (orjson.loads(event.payload) for event in events if event.aggregate_type == AGGREGATE)
    return {UUID(one["productId"]): UUID(one["sellerId"]) for one in told}


async def _count(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if products := products_of(events):
        await count_anew(tx, products)
        await rate_sellers(ctx, tx, set(products.values()))


DOORS: tuple[Door, ...] = (_count,)
