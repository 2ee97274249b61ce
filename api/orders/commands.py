"""Changes of placed orders: each commits with its idempotency key and answer; a refund it decided is then asked for."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import orjson
from fastapi import Response

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import RequestKey, Stored, run_once
from api.orders import life
from api.orders.refunds import settle_refunds
from api.orders.schemas import AdvanceOrder, CancelOrder, DecideReturn, OrderState, ReturnOrder


async def cancel_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: CancelOrder) -> Response:
    """See `life.cancel`."""
    return await _change(ctx, key, order_id, lambda tx: life.cancel(tx, actor, order_id, request), refunds=True)


async def return_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: ReturnOrder) -> Response:
    """See `life.request_return`."""
    return await _change(ctx, key, order_id, lambda tx: life.request_return(tx, actor, order_id, request))


async def advance_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: AdvanceOrder) -> Response:
    """See `life.advance`."""
    return await _change(ctx, key, order_id, lambda tx: life.advance(tx, actor, order_id, request))


async def decide_return(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: DecideReturn) -> Response:
    """See `life.decide_return`."""
    return await _change(ctx, key, order_id, lambda tx: life.decide_return(tx, actor, order_id, request), refunds=True)


async def _change(
    ctx: Context,
    key: RequestKey,
    order_id: UUID,
    change: Callable[[Tx], Awaitable[OrderState]],
    *,
    refunds: bool = False,
) -> Response:
    async def work(tx: Tx) -> Stored:
        state = await change(tx)
        return Stored(200, orjson.dumps(state.model_dump(mode="json", by_alias=True)))

    answer = await run_once(ctx, key, work)
    if refunds:
        await settle_refunds(ctx, order_id)
    return answer
