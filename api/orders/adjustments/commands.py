"""Refund without a return: by a seller for their own lines, by an administrator for any."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from fastapi import Response

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden, ValidationFailed
from api.kernel.idempotency import RequestKey
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.adjustments.amounts import adjustments
from api.orders.adjustments.schemas import RefundOrder
from api.orders.commands.change import change_order, impossible, write
from api.orders.commands.returns import return_event
from api.orders.commands.rows import insert_returns, settled_by
from api.orders.errors import RefundTooHigh, StillBeingPlaced
from api.orders.queries.locked import LockedOrder, lines_of, lock_to_decide
from api.orders.refunds import settle_refunds
from api.orders.returns.policy import LOST_PARCEL
from api.orders.returns.returnable import OrderLine
from api.orders.returns.statements import requested_part
from api.orders.schemas import OrderState
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import OrderPayment, request_refund


@dataclass(frozen=True, slots=True)
class Booked:
    """A refund whose rows of `returns` are inserted: the parts and events of the rest, and its amount."""

    parts: list[Part]
    events: list[Event]
    amount: Decimal


async def refund_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: RefundOrder) -> Response:
    """Give back some of what was paid; nothing comes back, and the order's state stays.

    Raises: OrderNotFound, Forbidden, ImpossibleMove, StillBeingPlaced, NotReturnable, RefundTooHigh, ValidationFailed.
    """
    answer = await change_order(ctx, key, lambda tx: _refund(tx, actor, order_id, request))
    await settle_refunds(ctx, order_id)
    return answer


async def _refund(tx: Tx, actor: Actor, order_id: UUID, request: RefundOrder) -> OrderState:
    order = await lock_to_decide(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of the lines, or an administrator, may do this.")
    if actor.kind == "admin" and request.reason is None:
        error = FieldError(pointer="/reason", message="an administrator says why")
        raise ValidationFailed("Say why the money goes back.", errors=[error])
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    mine = [line.order_item_id for line in lines.values() if actor.kind == "admin" or line.seller_id == actor.user_id]
    booked = await _book(tx, order, lines, mine, request)
    await write(tx, booked.parts, booked.events)
    return OrderState(
        order_id=order_id, status=order.status, payment_status=order.payment_status, refund_amount=booked.amount
    )


async def _book(
    tx: Tx, order: LockedOrder, lines: Mapping[UUID, OrderLine], mine: Collection[UUID], request: RefundOrder
) -> Booked:
    """Insert a row of `returns` for each item; their money is on its way, or there is none to pay."""
    if order.status == "cancelled":
        raise impossible(order.status, "refunded in part")
    payment = await lock_payment(tx, order.order_id)
    if order.status == "pending" or payment is None or payment.status != "captured":
        raise StillBeingPlaced
    found = adjustments(order.amounts, lines, mine, request.items)
    whole = sum((one.refund.parts for one in found), Parts())
    if whole.amount > payment.refundable:
        raise _too_high(payment)
    refund = request_refund(payment, order.order_id, whole)
    shared = {
        "user_id": None,
        "reason": request.reason or request.reason_code,
        "reason_code": request.reason_code,
        "outbound_refunded": request.reason_code == LOST_PARCEL,
        "restocked": False,
    }
    ids = await insert_returns(tx, order.order_id, found, {**shared, **settled_by(refund)})
    events = [return_event(return_id, order.order_id, "approved", request.reason) for return_id in ids]
    return Booked([requested_part(ids), *refund.parts], [*events, *refund.events], whole.amount)


def _too_high(payment: OrderPayment) -> RefundTooHigh:
    error = FieldError(pointer="/items", message=f"{payment.refundable} of the order's payment is left")
    return RefundTooHigh(
        "Refund at most what is left of the order's payment.", errors=[error], extra={"refundable": []}
    )
