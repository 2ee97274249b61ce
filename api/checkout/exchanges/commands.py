"""Exchange units of a delivered order: place and pay the new order, then ask for the return of the old units.

The new order comes first: while its payment is refused or its stock is short, nothing has happened. Before it, the
exchange is written down and the old order left to it, so that its return can be asked for whatever happens meanwhile;
`finishing.py` has its ends. The return's refund goes to the original payment when the return is approved, so that both
orders' books close by themselves.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import psycopg
from fastapi import Response
from pydantic import ValidationError

from api.checkout.commands import place_order
from api.checkout.errors import OrderPending, PaymentUnavailable
from api.checkout.exchanges.finishing import End, Ended, key_of_order, settle
from api.checkout.exchanges.schemas import ExchangeUnits
from api.checkout.schemas import GivenAddress, OrderLine, PlaceOrder, ShippingAddress
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Problem, ValidationFailed
from api.kernel.idempotency import LOCK_TIMEOUT, RequestInFlight, RequestKey, Stored, claim_part, find
from api.kernel.ids import new_id
from api.kernel.statement import compose
from api.orders.commands.returns import check_return
from api.orders.errors import NotReturnable
from api.orders.exchanges.commands import StoredExchange, claim
from api.orders.queries.locked import sent_to
from api.orders.schemas import ReturnLine, ReturnOrder

_Done = TypeVar("_Done")
# Where the new order's fields are in the request for the exchange.
_POINTERS = {
    "/items/0/productId": "/variantId",
    "/items/0/variantId": "/variantId",
    "/items/0/quantity": "/quantity",
    "/items/0": "/variantId",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for an exchange of units of the order."""

    actor: Actor
    key: RequestKey
    order_id: UUID
    request: ExchangeUnits


@dataclass(frozen=True, slots=True)
class _Begun:
    """An exchange that is written down, and the order to be placed for it."""

    exchange_id: UUID
    order: PlaceOrder


async def exchange_units(
    ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: ExchangeUnits
) -> Response:
    """Exchange, by the buyer.

    Raises: as `place_order` for the new order, as `return_order` for the old one.
    """
    begun = await _in_words_of_the_request(_begun(ctx, _Asked(actor, key, order_id, request)))
    if isinstance(begun, Stored):
        return begun.response(replayed=True)
    failpoints.hit("checkout.exchange_after_begin")
    try:
        await _in_words_of_the_request(place_order(ctx, actor, key_of_order(begun.exchange_id, actor), begun.order))
    except Problem as problem:
        return _answer(await settle(ctx, begun.exchange_id), problem)
    failpoints.hit("checkout.exchange_after_order")
    ended = await settle(ctx, begun.exchange_id)
    failpoints.hit("checkout.exchange_after_return")
    return _answer(ended, PaymentUnavailable("The exchange took too long; nothing was charged."))


def _answer(ended: Ended, problem: Problem) -> Response:
    """The answer that is kept with the key; without one, why there is none. Raises: `problem`, OrderPending."""
    if ended.answer is not None:
        return ended.answer.response()
    if ended.end is End.NOTHING:
        raise problem
    raise OrderPending("The exchange is being completed; ask again with the same Idempotency-Key.", retry_after=5)


async def _begun(ctx: Context, asked: _Asked) -> Stored | _Begun:
    """The answer of a request that was made before, or the exchange that is now written down."""
    lease = float(ctx.settings.checkout_lease_seconds)
    running = ctx.settings.checkout_deadline_seconds + lease

    async def work(tx: Tx) -> Stored | _Begun:
        claimed = await tx.first(*compose([claim_part(asked.key, running)], "1 FROM claim"))
        if claimed is None:
            known = await find(tx, asked.key)
            if known is None:
                raise RequestInFlight
            return known
        return await _begin(tx, asked, lease)

    try:
        return await ctx.db.run(work)
    except psycopg.Error as error:
        if error.sqlstate == LOCK_TIMEOUT:
            raise RequestInFlight from error
        raise


async def _begin(tx: Tx, asked: _Asked, lease: float) -> _Begun:
    """Raises: as `return_order`, ValidationFailed."""
    actor, order_id, request = asked.actor, asked.order_id, asked.request
    back = ReturnOrder(
        items=[ReturnLine(order_item_id=request.order_item_id, quantity=request.quantity)],
        reason_code=request.reason_code,
        reason=request.reason,
    )
    wanted = await check_return(tx, actor, order_id, back)
    if wanted.lines[request.order_item_id].digital:
        error = FieldError(pointer="/items/0/orderItemId", message="was delivered online")
        raise NotReturnable("What was delivered online is not exchanged: return it for its cause.", errors=[error])
    old, product_id = await sent_to(tx, wanted.order), wanted.lines[request.order_item_id].product_id
    order = PlaceOrder(
        items=[OrderLine(product_id=product_id, variant_id=request.variant_id, quantity=request.quantity)],
        shipping_address=request.shipping_address or _address(old.address),
        payment_method=request.payment_method,
        email=old.email,
        birth_date=request.birth_date,
        expected_total=request.expected_total,
    )
    exchange = StoredExchange(
        exchange_id=new_id(),
        order_id=order_id,
        back=back.model_dump(mode="json"),
        actor_kind=actor.kind,
        user_id=actor.user_id,
        session_id=actor.session_id,
        idempotency_key=asked.key.key,
    )
    await claim(tx, exchange, lease)
    return _Begun(exchange.exchange_id, order)


def _address(stored: dict[str, str]) -> ShippingAddress:
    """The address of the order. Raises: ValidationFailed, for one of a time with other rules."""
    try:
        return GivenAddress.model_validate(stored)
    except ValidationError:
        error = FieldError(pointer="/shippingAddress", message="needed: the order's address is not complete")
        raise ValidationFailed("Say where the new units go.", errors=[error]) from None


async def _in_words_of_the_request(step: Awaitable[_Done]) -> _Done:
    """Let a refusal point into the request for the exchange."""
    try:
        return await step
    except Problem as problem:
        returned = {"/items/0/orderItemId": "/orderItemId"} if isinstance(problem, NotReturnable) else {}
        pointers = {**_POINTERS, **returned}
        problem.errors = problem.errors and [
            FieldError(pointer=pointers.get(error.pointer, error.pointer), message=error.message)
            for error in problem.errors
        ]
        raise
