"""Backordered parcels become ready when their units are there; who waits longer than was promised is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast
from uuid import UUID

from sqlalchemy import ARRAY, Date, Integer, Uuid, any_, bindparam, func, select, update

from api.delivery.places import Place
from api.delivery.promises import Parcel as Sent
from api.delivery.promises import Speed, promise
from api.inventory.queries import booked_in
from api.inventory.warehouses.kept import origins_in
from api.kernel import clock, outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import in_batches
from api.orders.backorders.queries import queue_for, waited_for
from api.orders.backorders.queue import ready
from api.orders.errors import OrderBeingEdited
from api.orders.models import Order, Parcel
from api.orders.parcels.moving import move_parcels
from api.orders.parcels.queries import lock_order_of, parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.privacy import PARCEL_ADDRESS

BATCH = 50
# One process at a time decides what is ready: two that read the same units would give them away twice.
COVER_LOCK = 7_305_841
LATE = "BackorderLate"
_SHOP = Actor(kind="service")


async def cover(ctx: Context) -> int:
    """Let parcels go whose units are there, the first of the queue first; returns how many."""
    return await in_batches(ctx, BATCH, cover_some)


async def cover_some(tx: Tx, size: int) -> int:
    """At most `size` parcels, in the transaction; returns how many. None while another process is at it.

    What was read stays enough until the commit: others take away only what can be sold, which is what nobody waits for.
    """
    if not await tx.scalar(select(func.pg_try_advisory_xact_lock(COVER_LOCK))):
        return 0
    places = await waited_for(tx)
    if not places:
        return 0
    booked = await booked_in(tx, {one.variant_id for one in places})
    filled = {
        (one.variant_id, one.warehouse_id): there
        for one in places
        if (there := booked.get((one.variant_id, one.warehouse_id), 0)) + one.units > 0
    }
    if not filled:
        return 0
    queue = [one for one in await queue_for(tx, {variant for variant, _ in filled}) if one.place in filled]
    found = list(ready(queue, filled).items())[:size]
    moved = [
        parcel_id
        for parcel_id, order_id in sorted(found, key=lambda one: one[1])
        if await _let_go(tx, parcel_id, order_id)
    ]
    if moved:
        await _promise_anew(tx, moved)
    return len(moved)


async def tell_late(ctx: Context) -> int:
    """Say of each parcel that waits and should have arrived that it is late, once; returns of how many."""
    return await in_batches(ctx, BATCH, tell_some)


async def tell_some(tx: Tx, size: int) -> int:
    """Of at most `size` parcels, in the transaction; returns of how many."""
    late = await tx.all_as(_Late, _TELL, {"today": clock.now().date(), "size": size})
    for one in late:
        await outbox.emit(tx, "backorder", one.parcel_id, LATE, {"orderId": one.order_id, "parcelId": one.parcel_id})
    return len(late)


@dataclass(frozen=True, slots=True)
class _Late:
    parcel_id: UUID
    order_id: UUID


_WAITS_TOO_LONG = (
    select(Parcel.parcel_id)
    .where(
        Parcel.expected_on.is_not(None),
        Parcel.status == "backordered",
        Parcel.promised_on < bindparam("today", type_=Date),
        Parcel.late_told_at.is_(None),
    )
    .limit(bindparam("size", type_=Integer))
    .with_for_update(skip_locked=True)
)
_TELL = (
    update(Parcel)
    .where(Parcel.parcel_id.in_(_WAITS_TOO_LONG))
    .values(late_told_at=func.now())
    .returning(Parcel.parcel_id, Parcel.order_id)
)


async def _let_go(tx: Tx, parcel_id: UUID, order_id: UUID) -> bool:
    """Whether it waits no longer; one that is not paid yet, or whose order is being changed, is for the next time."""
    try:
        order = await lock_order_of(tx, _SHOP, parcel_id)
    except OrderBeingEdited:
        return False
    if order.payment_status == "authorised":
        return False
    parcels = await parcels_of(tx, order_id)
    if not any(one.parcel_id == parcel_id and one.status == "backordered" for one in parcels):
        return False
    move = ParcelMove(parcel_id, order_id, "backordered", "confirmed", "service")
    await move_parcels(tx, order, parcels, [move])
    return True


@dataclass(frozen=True, slots=True)
class _Promised:
    parcel_id: UUID
    order_id: UUID
    warehouse_id: UUID
    promised_on: date
    speed: str
    address: dict[str, str]

    @property
    def place(self) -> Place:
        return Place(self.address.get("country", ""), self.address.get("state"), self.address.get("zipCode"))


_PROMISED = (
    select(
        Parcel.parcel_id,
        Parcel.order_id,
        Parcel.warehouse_id,
        Parcel.promised_on,
        Order.delivery_speed.label("speed"),
        PARCEL_ADDRESS.label("address"),
    )
    .join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.parcel_id == any_(bindparam("parcels", type_=ARRAY(Uuid))), Parcel.promised_on.is_not(None))
)
_DAY = bindparam("day", type_=Date)
_DELAY = (
    update(Parcel)
    .where(Parcel.parcel_id == bindparam("parcel_id", type_=Uuid))
    .values(promised_on=_DAY, updated_at=func.now())
)
_DELAY_ORDER = (
    update(Order)
    .where(Order.order_id == bindparam("order_id", type_=Uuid))
    .values(estimated_delivery=func.greatest(Order.estimated_delivery, _DAY), updated_at=func.now())
)


async def _promise_anew(tx: Tx, parcel_ids: Sequence[UUID]) -> None:
    """A parcel that cannot arrive as promised any more is promised for the day on which it can."""
    parcels = await tx.all_as(_Promised, _PROMISED, {"parcels": list(parcel_ids)})
    origins = await origins_in(tx, None)
    for one in parcels:
        sent = Sent(origins[one.warehouse_id], prime=True)
        found = promise([sent], one.place, cast("Speed", one.speed), clock.now())
        if found is not None and found.last > one.promised_on:
            await tx.execute(_DELAY, {"parcel_id": one.parcel_id, "day": found.last})
            await tx.execute(_DELAY_ORDER, {"order_id": one.order_id, "day": found.last})
