"""A product that was saved may have pictures to be fetched: it wakes the job that fetches them."""

from collections.abc import Sequence

from api.catalog.pictures.jobs import NEXT
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending


async def _saved(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if any(event.event_type in {"ProductCreated", "ProductChanged"} for event in events):
        NEXT.ring()


DOORS: tuple[Door, ...] = (_saved,)
