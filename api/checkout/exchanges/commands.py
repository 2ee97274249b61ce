"""Exchange units of a delivered order: place and pay the new order, then ask for the return of the old units.

The new order comes first: while its payment is refused or its stock is short, nothing has happened. The return's refund
goes to the original payment when the return is approved, so that both orders' books close by themselves.
"""

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from fastapi import Response
from pydantic import ValidationError

from api.checkout.commands import place_order
from api.checkout.exchanges.schemas import Exchange, ExchangeUnits
from api.checkout.schemas import FullAddress, OrderLine, PlacedOrder, PlaceOrder, ShippingAddress
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Problem, ValidationFailed
from api.kernel.idempotency import RequestKey, find
from api.kernel.money import ZERO
from api.orders.commands.change import change_order
from api.orders.commands.returns import check_return, request_return
from api.orders.errors import NotReturnable
from api.orders.queries.locked import SentTo, sent_to
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
class _Old:
    """The product of the units that are sent back, and where they were sent to."""

    product_id: UUID
    place: SentTo


async def exchange_units(
    ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: ExchangeUnits
) -> Response:
    """Exchange, by the buyer.

    Raises: as `place_order` for the new order, as `return_order` for the old one.
    """
    async with ctx.db.read() as read:
        known = await find(read, key)
    if known is not None:
        return known.response(replayed=True)
    back = ReturnOrder(
        items=[ReturnLine(order_item_id=request.order_item_id, quantity=request.quantity)],
        reason_code=request.reason_code,
        reason=request.reason,
    )
    old = await _in_words_of_the_request(ctx.db.run(lambda tx: _old(tx, actor, order_id, back)))
    answer = await _in_words_of_the_request(place_order(ctx, actor, _key_of_order(key), _new_order(request, old)))
    if answer.status_code != 201:  # a refusal that was answered before
        return answer
    placed = PlacedOrder.model_validate_json(bytes(answer.body))
    return await change_order(ctx, key, lambda tx: _returned(tx, actor, order_id, back, placed))


async def _old(tx: Tx, actor: Actor, order_id: UUID, back: ReturnOrder) -> _Old:
    wanted = await check_return(tx, actor, order_id, back)
    line = wanted.lines[back.items[0].order_item_id]
    return _Old(line.product_id, await sent_to(tx, wanted.order))


def _new_order(request: ExchangeUnits, old: _Old) -> PlaceOrder:
    return PlaceOrder(
        items=[OrderLine(product_id=old.product_id, variant_id=request.variant_id, quantity=request.quantity)],
        shipping_address=request.shipping_address or _address(old.place.address),
        payment_method=request.payment_method,
        email=old.place.email,
        expected_total=request.expected_total,
    )


def _address(stored: dict[str, str]) -> ShippingAddress:
    """The address of the order. Raises: ValidationFailed, for one of a time with other rules."""
    try:
        return FullAddress.model_validate(stored)
    except ValidationError:
        error = FieldError(pointer="/shippingAddress", message="needed: the order's address is not complete")
        raise ValidationFailed("Say where the new units go.", errors=[error]) from None


async def _returned(tx: Tx, actor: Actor, order_id: UUID, back: ReturnOrder, placed: PlacedOrder) -> Exchange:
    state = await request_return(tx, actor, order_id, back, exchange_order_id=placed.order_id)
    refund = state.refund_amount or ZERO
    return Exchange(
        order_id=order_id,
        status=state.status,
        exchange_order_id=placed.order_id,
        exchange_order_number=placed.order_number,
        charged=placed.total,
        refund_amount=refund,
        difference=placed.total - refund,
    )


def _key_of_order(key: RequestKey) -> RequestKey:
    """The new order's own key: the same whenever the exchange is asked for with its key."""
    return replace(key, key=f"exchange-{hashlib.sha256(key.key.encode()).hexdigest()}")


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
