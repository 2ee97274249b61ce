"""The code that all changes of an order share."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from fastapi import Response

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.kernel.outbox import Event, events_part
from api.kernel.schemas import Wire
from api.kernel.statement import OPEN_GATE, Part, compose
from api.orders.errors import ImpossibleMove


async def change_order(ctx: Context, key: RequestKey, change: Callable[[Tx], Awaitable[Wire]]) -> Response:
    """Run `change` in one transaction with the key and the answer; a repeated request gets the stored answer."""

    async def work(tx: Tx) -> Stored:
        state = await change(tx)
        return Stored(200, orjson.dumps(state.model_dump(mode="json", by_alias=True)))

    return await run_once(ctx, key, work)


async def write(tx: Tx, parts: Sequence[Part], events: Sequence[Event]) -> None:
    """Execute the parts and the insert of their events as one statement."""
    await tx.execute(*compose([OPEN_GATE, *parts, events_part(events)], "1"))


def impossible(status: str, wanted: str) -> ImpossibleMove:
    """The refusal of a move from `status` to `wanted`."""
    return ImpossibleMove(
        f"An order that is {status.replace('_', ' ')} cannot become {wanted.replace('_', ' ')}.",
        extra={"orderStatus": status},
    )
