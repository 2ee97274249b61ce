"""Deliver what is paid.

Which key a unit gets is decided in one commit with its parcel's steps to `delivered`, under the order's lock. Whoever
is killed before that commit has delivered nothing; whoever comes after it finds nothing to deliver.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, bindparam, literal_column, select

from api.kernel import failpoints
from api.kernel.actor import SHOP
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.logs import get_logger
from api.kernel.outbox import Event
from api.orders.downloads.commands import grant_downloads
from api.orders.errors import OrderBeingEdited
from api.orders.keys.commands import PoolEmpty, give_keys
from api.orders.models import Order, Parcel
from api.orders.parcels.moving import Along, move_parcels
from api.orders.parcels.queries import parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import lines_of, lock_order

log = get_logger(__name__)
BATCH = 100
DELIVERED_ONLINE = "DeliveredOnline"
_STEPS = ("processing", "shipped", "delivered")
# Whose money was never taken, or has not been yet.
_UNPAID = ("pending", "authorised", "declined", "voided")


class Deliveries(NamedTuple):
    """Of how many orders it was delivered, and whether some may be left: those that could not be, or more than one
    round takes."""

    delivered: int
    left: bool


async def deliver_due(ctx: Context) -> Deliveries:
    """Deliver what is paid, at most `BATCH` orders."""
    async with ctx.db.read() as tx:
        due = [row[0] for row in await tx.all(_DUE, {"take": BATCH})]
    delivered, left = 0, len(due) == BATCH
    for order_id in due:
        failpoints.hit("orders.digital_before_delivery")
        try:
            delivered += await ctx.db.run(partial(deliver, ctx=ctx, order_id=order_id))
        except (OrderBeingEdited, PoolEmpty) as error:
            left = True
            log.warning("an order is delivered online later", order=str(order_id), reason=type(error).__name__)
        else:
            failpoints.hit("orders.digital_after_commit")
    return Deliveries(delivered, left)


async def deliver(tx: Tx, ctx: Context, order_id: UUID) -> bool:
    """Give each unit that is delivered online what it is, and take their parcels to `delivered`; False where there is
    nothing to deliver.

    Raises: PoolEmpty, OrderBeingEdited; then nothing has changed.
    """
    order = await lock_order(tx, SHOP, order_id)
    parcels = await parcels_of(tx, order_id)
    due = {parcel.parcel_id for parcel in parcels if parcel.digital and parcel.status == "confirmed"}
    if not due or order.payment_status in _UNPAID:
        return False
    lines = [line for line in await lines_of(tx, order) if line.parcel_id in due and line.returnable]
    await give_keys(tx, await grant_downloads(tx, ctx, lines))
    for step in _STEPS:
        parcels = await parcels_of(tx, order_id)
        moves = [
            ParcelMove(parcel.parcel_id, order_id, parcel.status, step, SHOP.kind)
            for parcel in parcels
            if parcel.parcel_id in due
        ]
        told = [_told(order_id, move.parcel_id) for move in moves] if step == _STEPS[-1] else []
        order = replace(order, status=await move_parcels(tx, order, parcels, moves, Along(events=told)))
    failpoints.hit("orders.digital_before_commit")
    return True


def _told(order_id: UUID, parcel_id: UUID) -> Event:
    """The event that makes the mail; what was delivered is in no event."""
    return Event("digital_delivery", parcel_id, DELIVERED_ONLINE, {"orderId": order_id, "parcelId": parcel_id})


# As the index says it: a plan for all values does not know a bind.
_CONFIRMED = Parcel.status == literal_column("'confirmed'")
_DUE = (
    select(Parcel.order_id)
    .join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.digital, _CONFIRMED, Order.payment_status.not_in(_UNPAID))
    .group_by(Parcel.order_id)
    .order_by(Parcel.order_id)
    .limit(bindparam("take", type_=Integer))
)
