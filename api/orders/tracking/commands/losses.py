"""Give up a parcel: its buyer is made whole by a refund of all that is left of it, and nothing is restocked.

The refund is booked as one return per line, approved at once, with the reason `lost_parcel`, as when a seller says so:
the units are not coming back, and can be returned no more. What was returned or cancelled of them before stays as it
is, so nothing is given back twice.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Uuid, bindparam, update

from api.kernel.actor import SHOP
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.logs import get_logger
from api.kernel.outbox import Event
from api.orders.commands.returns import return_event
from api.orders.commands.rows import insert_returns, settled_by
from api.orders.errors import OrderBeingEdited
from api.orders.labels.models import ParcelLabel
from api.orders.parcels.commands import the_one
from api.orders.parcels.moving import Along, lose_parcel
from api.orders.parcels.queries import LockedParcel, parcels_of
from api.orders.queries.locked import LockedOrder, lines_of, lock_order
from api.orders.refunds import settle_refunds
from api.orders.returns.policy import LOST_PARCEL
from api.orders.returns.returnable import LineRefund, OrderLine, RefundOf, shipping_left
from api.orders.returns.statements import requested_part
from api.orders.tracking.queries import carried, silent_labels
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import request_refund

log = get_logger(__name__)
PARCEL_LOST = "ParcelLost"
BATCH = 100
# What the returns of all lost units have.
_LOST = {
    "user_id": None,
    "reason": LOST_PARCEL,
    "reason_code": LOST_PARCEL,
    "outbound_refunded": True,
    "restocked": False,
}


async def book_loss(
    tx: Tx, order: LockedOrder, parcels: Sequence[LockedParcel], parcel: LockedParcel, reason: str
) -> None:
    """Give up a parcel on its way, of an order that is locked."""
    payment = await lock_payment(tx, order.order_id)
    if payment is None:
        raise AssertionError("an order on its way has a payment")
    lines = {line.order_item_id: line for line in await lines_of(tx, order)}
    gone = [line for line in lines.values() if line.parcel_id == parcel.parcel_id and line.returnable]
    given = [LineRefund(one, one.returnable, _all_left(order, lines, one)) for one in gone]
    whole = sum((one.refund.parts for one in given), Parts()).at_most(payment.refundable)
    refund = request_refund(payment, order.order_id, whole)
    ids = await insert_returns(tx, order.order_id, given, {**_LOST, **settled_by(refund)})
    parts, events = [*refund.parts], [_lost_event(order.order_id, parcel, whole)]
    if ids:
        parts.append(requested_part(ids))
        events += [return_event(one, order.order_id, "approved", reason) for one in ids]
    along = Along(parts, [*events, *refund.events])
    await lose_parcel(tx, order, parcels, parcel.parcel_id, along=along, reason=reason)


async def lose_silent(ctx: Context) -> int:
    """Give up the parcels that no carrier has scanned for too long after their day; returns how many."""
    days, lost = ctx.settings.lost_after_days, 0
    async with ctx.db.read() as tx:
        labels = await silent_labels(tx, days, BATCH)
    for label_id in labels:
        try:
            order_id = await ctx.db.run(partial(_lose, label_id=label_id))
        except OrderBeingEdited:
            continue  # until the next time
        if order_id is not None:
            await settle_refunds(ctx, order_id)
            lost += 1
    return lost


async def _lose(tx: Tx, label_id: UUID) -> UUID | None:
    """Give up the parcel of a label if it is still on its way; the order, then."""
    label = await carried(tx, label_id)
    if label is None:
        return None
    order = await lock_order(tx, SHOP, label.order_id)
    again = await carried(tx, label_id)
    parcels = await parcels_of(tx, label.order_id)
    parcel = the_one(parcels, label.parcel_id)
    if again is None or again.last_scan_at != label.last_scan_at:
        return None
    await tx.execute(_UNWATCH, {"label_id": label_id})
    if parcel.status != "shipped" or parcel.lost:
        return None
    await book_loss(tx, order, parcels, parcel, "no scan for too long")
    return label.order_id


def _all_left(order: LockedOrder, lines: Mapping[UUID, OrderLine], line: OrderLine) -> RefundOf:
    """What of a line and of its share of sending was not given back: nothing of it has arrived."""
    sending = shipping_left(order.amounts, lines, line.order_item_id)
    return RefundOf(line.left + sending, sending.tax)


def _lost_event(order_id: UUID, parcel: LockedParcel, whole: Parts) -> Event:
    payload = {"parcelId": parcel.parcel_id, "orderId": order_id, "number": parcel.number, "amount": whole.amount}
    return Event("carriage", parcel.parcel_id, PARCEL_LOST, payload)


_UNWATCH = update(ParcelLabel).where(ParcelLabel.label_id == bindparam("label_id", type_=Uuid)).values(watched=False)
