"""What follows from reviews: the counts and the average of their products."""

from collections.abc import Sequence
from uuid import UUID

import orjson

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.reviews.events import AGGREGATE
from api.reviews.ratings.commands import count_anew


def products_of(events: Sequence[Pending]) -> set[UUID]:
    """The products that events of reviews are about."""
    return {UUID(orjson.loads(event.payload)["productId"]) for event in events if event.aggregate_type == AGGREGATE}


async def _count(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if products := products_of(events):
        await count_anew(tx, products)


DOORS: tuple[Door, ...] = (_count,)
