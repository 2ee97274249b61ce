"""How an exchange ends, by what became of its new order: for the request that asked for it, and for the worker.

| the new order's key | then |
|---|---|
| has the answer 201 | the return is asked for, the exchange is completed, and its answer is kept |
| has a refusal | nothing was charged: the order is let go, and the refusal is the exchange's answer |
| is running | the checkout's own worker finishes it first |
| is free | nothing was ordered: the key is closed, the order let go, and the request may be sent again |

A key is closed with a refusal, so that a process that is only slow orders nothing later.
Each end is one transaction, under the lock of the exchange's row.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum
from typing import cast
from uuid import UUID

import orjson

from api.checkout.errors import PaymentUnavailable
from api.checkout.exchanges.schemas import Exchange
from api.checkout.saga.lease import MAX_BACKOFF_SECONDS
from api.checkout.schemas import PlacedOrder
from api.kernel.actor import Actor, ActorKind
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import (
    ANSWERED,
    Answer,
    RequestInFlight,
    RequestKey,
    Stored,
    find,
    finish_part,
    forget_part,
    keep_part,
)
from api.kernel.logs import get_logger
from api.kernel.money import ZERO
from api.kernel.problems import render
from api.kernel.statement import OPEN_GATE, Part, compose
from api.orders.commands.returns import book_return
from api.orders.exchanges import commands as rows
from api.orders.exchanges.commands import StoredExchange
from api.orders.schemas import ReturnOrder

log = get_logger(__name__)


class End(Enum):
    """What became of an exchange: `OVER` was found to be over before."""

    COMPLETED = "completed"
    REFUSED = "refused"
    WAITS = "waits"
    NOTHING = "nothing was ordered"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Ended:
    """`answer` of one that is completed or refused."""

    end: End
    answer: Stored | None = None


async def complete_abandoned(ctx: Context) -> int:
    """End every exchange whose lease expired, one after the other; returns how many were taken over."""
    seconds, taken = float(ctx.settings.checkout_lease_seconds), 0
    while (exchange := await ctx.db.run_alone(lambda tx: rows.taken_over(tx, _pause(seconds)))) is not None:
        taken += 1
        ended = await settle(ctx, exchange.exchange_id)
        log.info("took over an exchange", exchange=str(exchange.exchange_id), end=ended.end.value)
    return taken


def _pause(seconds: float) -> float:
    """Until an exchange whose order is still being placed is looked at again."""
    return min(seconds, MAX_BACKOFF_SECONDS)


async def settle(ctx: Context, exchange_id: UUID) -> Ended:
    """End an exchange by what became of its new order."""
    return await ctx.db.run(lambda tx: _settle(tx, exchange_id))


def key_of_order(exchange_id: UUID, actor: Actor) -> RequestKey:
    """The new order's own key, which follows from the exchange."""
    return RequestKey(actor.key, f"exchange-{exchange_id}", "POST exchange", hashlib.sha256(exchange_id.bytes).digest())


async def _settle(tx: Tx, exchange_id: UUID) -> Ended:
    exchange = await rows.lock(tx, exchange_id)
    if exchange is None:
        return Ended(End.OVER)
    actor = Actor(cast("ActorKind", exchange.actor_kind), exchange.user_id, exchange.session_id)
    key = key_of_order(exchange_id, actor)
    try:
        ordered = await find(tx, key)
    except RequestInFlight:
        return Ended(End.WAITS)
    if ordered is None:
        return await _undone(tx, exchange, actor, key)
    if ordered.status == 201:
        return await _completed(tx, exchange, actor, PlacedOrder.model_validate_json(ordered.body))
    await rows.release(tx, exchange)
    await rows.forget(tx, exchange)
    await _write(tx, finish_part([Answer(actor.key, exchange.idempotency_key, ordered)]))
    return Ended(End.REFUSED, ordered)


async def _undone(tx: Tx, exchange: StoredExchange, actor: Actor, key: RequestKey) -> Ended:
    if not await _closed(tx, key):
        return Ended(End.WAITS)
    await rows.release(tx, exchange)
    await rows.forget(tx, exchange)
    await _write(tx, forget_part(actor.key, exchange.idempotency_key))
    return Ended(End.NOTHING)


async def _closed(tx: Tx, key: RequestKey) -> bool:
    """Whether the new order's key is taken from whoever might still order with it."""
    given_up = render(PaymentUnavailable("The exchange took too long; nothing was charged."), "/api/v1/orders")
    refusal = Stored(given_up.status_code, bytes(given_up.body), {"Content-Type": str(given_up.media_type)})
    return bool(await tx.scalar(*compose([keep_part(key, refusal)], ANSWERED)))


async def _completed(tx: Tx, exchange: StoredExchange, actor: Actor, placed: PlacedOrder) -> Ended:
    await rows.release(tx, exchange)
    back = ReturnOrder.model_validate(exchange.back)
    state = await book_return(tx, actor, exchange.order_id, back, placed.order_id)
    refund = state.refund_amount or ZERO
    body = Exchange(
        order_id=exchange.order_id,
        status=state.status,
        exchange_order_id=placed.order_id,
        exchange_order_number=placed.order_number,
        charged=placed.total,
        refund_amount=refund,
        difference=placed.total - refund,
    )
    answer = Stored(200, orjson.dumps(body.model_dump(mode="json", by_alias=True)))
    await rows.complete(tx, exchange, placed.order_id)
    await _write(tx, finish_part([Answer(actor.key, exchange.idempotency_key, answer)]))
    return Ended(End.COMPLETED, answer)


async def _write(tx: Tx, part: Part) -> None:
    await tx.execute(*compose([OPEN_GATE, part], "1"))
