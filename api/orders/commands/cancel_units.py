"""Cancel some units of a line before the order is shipped: their money goes back, the rest of the order goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import Response

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden
from api.kernel.idempotency import RequestKey
from api.orders.commands.change import change_order, impossible, write
from api.orders.commands.returns import return_event
from api.orders.commands.rows import insert_units_off, settled_by
from api.orders.errors import LastUnits, LineNotFound, NotCancellable, StillBeingPlaced
from api.orders.labels.voiding import void_label
from api.orders.parcels.moving import Along, move_parcels
from api.orders.parcels.queries import parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import lines_of, lock_order
from api.orders.refunds import settle_refunds
from api.orders.returns.policy import CANCELLED
from api.orders.returns.returnable import (
    LineRefund,
    OrderLine,
    comes_back_whole,
    nothing_sent_without,
    refund_of,
    with_unspent_sending,
)
from api.orders.returns.statements import requested_part
from api.orders.schemas import CancelUnits, OrderState
from api.orders.states import CANCELLABLE
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import NewRefund, request_refund


async def cancel_units(
    ctx: Context, actor: Actor, key: RequestKey, place: tuple[UUID, UUID], request: CancelUnits
) -> Response:
    """Cancel units of a line, `place` (order, line), for the buyer or an administrator.

    They are booked as a return that is approved at once and has the reason `cancelled`. The shipping fee stays: the
    rest of the order is sent; where nothing of it is any more, what is left of it goes back. A parcel of which nothing
    is left is cancelled.
    Raises: OrderNotFound, Forbidden, StillBeingPlaced, ImpossibleMove, LineNotFound, NotCancellable, LastUnits.
    """
    answer = await change_order(ctx, key, lambda tx: _cancel(tx, actor, place, request))
    await settle_refunds(ctx, place[0])
    return answer


async def _cancel(tx: Tx, actor: Actor, place: tuple[UUID, UUID], request: CancelUnits) -> OrderState:
    order_id, item_id = place
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer and actor.kind != "admin":
        raise Forbidden("Only the buyer may cancel; a seller refuses an order through support.")
    if order.status not in CANCELLABLE:
        raise impossible(order.status, "cancelled")
    payment = await lock_payment(tx, order_id)
    if order.status == "pending" or payment is None or payment.status != "captured":
        raise StillBeingPlaced
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    line = _line(lines, item_id, request.quantity)
    alone = refund_of(order.amounts, lines, item_id, request.quantity, outbound=False)
    off, others = with_unspent_sending(order.amounts, lines, [LineRefund(line, request.quantity, alone)])
    given = sum((one.refund.parts for one in (*off, *others)), Parts())
    refund = request_refund(payment, order_id, given.at_most(payment.refundable))
    outbound = nothing_sent_without(lines, {item_id: request.quantity})
    why = Why(CANCELLED, request.reason, actor.user_id if order.is_buyer else None, outbound=outbound)
    return_ids = await book_units_off(tx, order_id, off, refund, why, others=others)
    units = [(line.variant_id, line.warehouse_id, request.quantity)]
    parts = [requested_part(return_ids), stock.restock(return_ids[0], units, cancels_order=False), *refund.parts]
    events = [return_event(return_id, order_id, "approved", request.reason) for return_id in return_ids]
    events += refund.events
    status = order.status
    in_parcel = {key: other for key, other in lines.items() if other.parcel_id == line.parcel_id}
    if line.parcel_id is not None and comes_back_whole(in_parcel, {item_id: request.quantity}):
        reason = request.reason and request.reason[:200]
        move = ParcelMove(line.parcel_id, order_id, line.status, "cancelled", actor.kind, reason)
        status = await move_parcels(tx, order, await parcels_of(tx, order_id), [move], Along(parts, events))
    else:
        if line.parcel_id is not None:
            await void_label(tx, line.parcel_id)
        await write(tx, parts, events)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=given.amount)


def _line(lines: Mapping[UUID, OrderLine], item_id: UUID, quantity: int) -> OrderLine:
    """Raises: LineNotFound, ImpossibleMove, NotCancellable, LastUnits."""
    line = lines.get(item_id)
    if line is None:
        raise LineNotFound
    if line.status not in CANCELLABLE:
        raise impossible(line.status, "cancelled")
    if quantity > line.returnable:
        error = FieldError(pointer="/quantity", message=f"{line.returnable} of this line can still be cancelled")
        raise NotCancellable("Lower the quantity.", errors=[error])
    if comes_back_whole(lines, {item_id: quantity}):
        raise LastUnits
    return line


@dataclass(frozen=True, slots=True)
class Why:
    """Who cancels units, and why. `user_id`: the buyer, when it is they; `outbound`: the refund has the units' share
    of the shipping fee."""

    code: str
    reason: str | None
    user_id: UUID | None = None
    outbound: bool = False
    restocked: bool = True


async def book_units_off(
    tx: Tx,
    order_id: UUID,
    units: Sequence[LineRefund],
    refund: NewRefund,
    why: Why,
    *,
    others: Sequence[LineRefund] = (),
) -> list[UUID]:
    """Insert a return for the units of each line, and a row for what each of the `others` gives back of the cost of
    sending; `refund` pays all of them. Their ids in that order."""
    shared = {
        "user_id": why.user_id,
        "reason": why.reason or why.code,
        "reason_code": why.code,
        "outbound_refunded": why.outbound,
        "restocked": why.restocked,
        **settled_by(refund),
    }
    return await insert_units_off(tx, order_id, units, others, shared)
