"""A schedule that was set wakes the job that waits for the next moment."""

from collections.abc import Sequence

from api.catalog.schedules.commands import SET
from api.catalog.schedules.jobs import NEXT
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending


async def _set(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if any(event.event_type == SET for event in events):
        NEXT.ring()


DOORS: tuple[Door, ...] = (_set,)
