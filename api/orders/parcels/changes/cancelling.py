"""A seller does not send a parcel, or some of its units: the buyer gets their money back and is told by mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import orjson
from fastapi import Response

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.ids import new_id
from api.kernel.outbox import Event
from api.orders.commands.cancel import Everything, cancel_everything
from api.orders.commands.cancel_units import Why, book_units_off
from api.orders.commands.change import change_order, write
from api.orders.commands.returns import return_event
from api.orders.errors import StillBeingPlaced
from api.orders.labels.voiding import require_no_asked_label, void_label
from api.orders.parcels.changes.chosen import units_of
from api.orders.parcels.changes.reasons import CANCELLED_BY_SELLER, SELLER_POLICIES
from api.orders.parcels.commands import impossible_for, the_one
from api.orders.parcels.moving import Along, move_parcels
from api.orders.parcels.queries import LockedOrderOf, LockedParcel, lock_order_of, parcels_of
from api.orders.parcels.schemas import CancelledParcel, CancelParcel
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import lines_of
from api.orders.refunds import settle_refunds
from api.orders.returns.returnable import LineRefund, OrderLine, comes_back_whole, refund_of, with_unspent_sending
from api.orders.returns.statements import requested_part
from api.orders.states import CANCELLABLE
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import OrderPayment, request_refund

UNITS_CANCELLED = "UnitsCancelledBySeller"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a parcel of a locked order. `lines`: all of the order's; `units`: line -> how many are not sent."""

    order: LockedOrderOf
    parcels: Sequence[LockedParcel]
    parcel: LockedParcel
    lines: Mapping[UUID, OrderLine]
    units: Mapping[UUID, int]
    payment: OrderPayment
    request: CancelParcel

    @property
    def restocked(self) -> bool:
        """What was never there is owed no more, whatever the reason."""
        return self.parcel.status == "backordered" or SELLER_POLICIES[self.request.reason_code].restock

    @property
    def why(self) -> str:
        """The reason in words, for the history."""
        return self.request.reason or self.request.reason_code

    def event(self, amount: Decimal) -> Event:
        payload = {
            "orderId": self.order.order_id,
            "parcelId": self.parcel.parcel_id,
            "reasonCode": self.request.reason_code,
            "refundAmount": amount,
            "lines": [{"orderItemId": item_id, "quantity": units} for item_id, units in sorted(self.units.items())],
        }
        return Event("seller_cancellation", new_id(), UNITS_CANCELLED, payload)


async def cancel_parcel(
    ctx: Context, actor: Actor, key: RequestKey, parcel_id: UUID, request: CancelParcel
) -> Response:
    """Cancel a parcel, or units of its lines, before it is sent, by its seller or an administrator.

    Raises: ParcelNotFound, Forbidden, ImpossibleMove, StillBeingPlaced, NotInParcel, HasLabel.
    """
    answer = await change_order(ctx, key, lambda tx: _cancel(tx, actor, parcel_id, request))
    await settle_refunds(ctx, UUID(orjson.loads(answer.body)["orderId"]))
    return answer


async def _cancel(tx: Tx, actor: Actor, parcel_id: UUID, request: CancelParcel) -> CancelledParcel:
    if actor.kind not in {"seller", "admin"}:
        raise Forbidden("Only the seller of the parcel, or an administrator, may do this.")
    order = await lock_order_of(tx, actor, parcel_id)
    parcels = await parcels_of(tx, order.order_id)
    parcel = the_one(parcels, parcel_id)
    if parcel.status not in CANCELLABLE:
        raise impossible_for(parcel, "cancelled")
    payment = await lock_payment(tx, order.order_id)
    if order.status == "pending" or payment is None or payment.status != "captured":
        raise StillBeingPlaced
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    inside = {item_id: line for item_id, line in lines.items() if line.parcel_id == parcel_id}
    units = units_of(request.lines, inside)
    asked = _Asked(order, parcels, parcel, lines, units, payment, request)
    empty = comes_back_whole(inside, units)
    if empty and comes_back_whole(lines, units):
        amount = payment.refundable
        whole = Everything(order, parcels, list(lines.values()), payment)
        await cancel_everything(
            tx, whole, actor.kind, asked.why, restocked=asked.restocked, events=[asked.event(amount)]
        )
    else:
        amount = await _cancel_units(tx, actor, asked, empty=empty)
    status = "cancelled" if empty else parcel.status
    return CancelledParcel(order_id=order.order_id, parcel_id=parcel_id, status=status, refund_amount=amount)


async def _cancel_units(tx: Tx, actor: Actor, asked: _Asked, *, empty: bool) -> Decimal:
    """The rest of the order is sent; returns what goes back to the buyer."""
    order_id, lines = asked.order.order_id, asked.lines
    off = [
        LineRefund(lines[item_id], units, refund_of(asked.order.amounts, lines, item_id, units, outbound=True))
        for item_id, units in asked.units.items()
    ]
    off, others = with_unspent_sending(asked.order.amounts, lines, off)
    given = sum((one.refund.parts for one in (*off, *others)), Parts()).at_most(asked.payment.refundable)
    refund = request_refund(asked.payment, order_id, given)
    why = Why(CANCELLED_BY_SELLER, asked.why, outbound=True, restocked=asked.restocked)
    return_ids = await book_units_off(tx, order_id, off, refund, why, others=others)
    parts = [requested_part(return_ids), *refund.parts]
    if asked.restocked:
        there = [(one.line.variant_id, one.line.warehouse_id, one.quantity) for one in off]
        parts.append(stock.restock(return_ids[0], there, cancels_order=False))
    events = [return_event(return_id, order_id, "approved", asked.why) for return_id in return_ids]
    events += [*refund.events, asked.event(given.amount)]
    if not empty:
        await require_no_asked_label(tx, asked.parcel.parcel_id)
        await void_label(tx, asked.parcel.parcel_id)
        await write(tx, parts, events)
        return given.amount
    parcel = asked.parcel
    move = ParcelMove(parcel.parcel_id, order_id, parcel.status, "cancelled", actor.kind, asked.why[:200])
    await move_parcels(tx, asked.order, asked.parcels, [move], Along(parts, events))
    return given.amount
