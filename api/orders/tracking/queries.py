"""Reads of parcels on their way: for buyer, seller and whoever has the link, and for the shop itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Interval, Select, Uuid, bindparam, func, or_, select, true

from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx, all_as, first_as
from api.kernel.nested import json_rows
from api.orders.errors import OrderNotFound, ParcelNotFound
from api.orders.labels.models import ParcelLabel
from api.orders.models import Order, Parcel
from api.orders.parcels.queries import MAY_SEND, whose
from api.orders.queries.access import MAY_SEE, actor_values
from api.orders.tracking.lateness import days_late
from api.orders.tracking.links import code_of, parcel_of
from api.orders.tracking.models import ParcelScan
from api.orders.tracking.schemas import OrderTracking, ParcelTracking, TrackedParcel
from api.shipping.scans import Scan


@dataclass(frozen=True, slots=True)
class Carried:
    """A label whose parcel its carrier scans; `return_id`: the parcel brings back units of `parcel_id`."""

    label_id: UUID
    parcel_id: UUID
    order_id: UUID
    tracking_id: UUID
    last_scan_at: datetime | None
    return_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Head:
    order_id: UUID
    order_number: str
    status: str


# The newest label of a parcel that was bought: its scans are the parcel's.
_LABEL = (
    select(ParcelLabel.tracking_id, ParcelLabel.carriage, ParcelLabel.arrives_on)
    .where(
        ParcelLabel.parcel_id == Parcel.parcel_id,
        ParcelLabel.return_id.is_(None),
        ParcelLabel.status.in_(("bought", "cancelling")),
    )
    .order_by(ParcelLabel.created_at.desc())
    .limit(1)
    .lateral("label")
)
# The columns of a ScanBody.
SCAN_BODY = (
    ParcelScan.kind,
    ParcelScan.occurred_at.label("at"),
    ParcelScan.place,
    ParcelScan.note,
)
_EVENTS = (
    select(json_rows(SCAN_BODY, ParcelScan.occurred_at))
    .where(ParcelScan.tracking_id == _LABEL.c.tracking_id)
    .scalar_subquery()
    .label("events")
)
_PARCEL: Select[Any] = (  # Any: the columns of a TrackedParcel
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.status,
        Parcel.carrier,
        Parcel.tracking_number,
        _LABEL.c.carriage,
        Parcel.promised_on,
        _LABEL.c.arrives_on.label("carrier_promised_on"),
        Parcel.shipped_at,
        Parcel.delivered_at,
        Parcel.lost_at,
        _EVENTS,
    )
    .select_from(Parcel)
    .outerjoin(_LABEL, true())
)
_ORDER_ID = bindparam("order_id", type_=Uuid)
_HEAD = select(Order.order_id, Order.order_number, Order.status).where(Order.order_id == _ORDER_ID, MAY_SEE)
_OF_ORDER = (
    _PARCEL.join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.order_id == _ORDER_ID, MAY_SEE)
    .order_by(Parcel.number)
)
_OF_SELLER = _PARCEL.where(MAY_SEND)
_BY_LINK = _PARCEL.where(Parcel.parcel_id == bindparam("parcel_id", type_=Uuid))


async def tracking_of(ctx: Context, tx: ReadTx, actor: Actor, order_id: UUID) -> OrderTracking:
    """The parcels of an order, in one round trip. Raises: OrderNotFound."""
    values = {"order_id": order_id, **actor_values(actor)}
    head, parcels = await tx.batch(first_as(_Head, _HEAD, values), all_as(TrackedParcel, _OF_ORDER, values))
    if head is None:
        raise OrderNotFound
    return OrderTracking(
        order_id=head.order_id,
        order_number=head.order_number,
        status=head.status,
        parcels=[shown(ctx, parcel) for parcel in parcels],
    )


async def tracking_of_seller(ctx: Context, tx: ReadTx, actor: Actor, parcel_id: UUID) -> ParcelTracking:
    """A parcel of the seller's. Raises: ParcelNotFound."""
    parcel = await tx.first_as(TrackedParcel, _OF_SELLER, {"parcel_id": parcel_id, **whose(actor)})
    if parcel is None:
        raise ParcelNotFound
    return shown(ctx, parcel)


async def tracking_by_link(ctx: Context, tx: ReadTx, code: str) -> ParcelTracking | None:
    """The parcel of a tracking link; None for a code that the shop did not make."""
    parcel_id = parcel_of(ctx.keys, code)
    if parcel_id is None:
        return None
    parcel = await tx.first_as(TrackedParcel, _BY_LINK, {"parcel_id": parcel_id})
    return None if parcel is None else shown(ctx, parcel)


def shown(ctx: Context, parcel: TrackedParcel) -> ParcelTracking:
    """The parcel with what follows from its dates, and its link."""
    late = 0
    if parcel.status != "cancelled":
        late = days_late(parcel.promised_on, parcel.delivered_at or parcel.lost_at, clock.now())
    url = f"{ctx.settings.api_url.rstrip('/')}/api/v1/tracking/{code_of(ctx.keys, parcel.parcel_id)}"
    fields = {name: getattr(parcel, name) for name in TrackedParcel.model_fields}
    return ParcelTracking(**fields, late=late > 0, days_late=late, tracking_url=url)


_CARRIED = (
    ParcelLabel.label_id,
    ParcelLabel.parcel_id,
    Parcel.order_id,
    ParcelLabel.tracking_id,
    ParcelLabel.last_scan_at,
    ParcelLabel.return_id,
)
_BY_LABEL = (
    select(*_CARRIED)
    .join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)
    .where(ParcelLabel.label_id == bindparam("label_id", type_=Uuid), ParcelLabel.tracking_id.is_not(None))
)
# Each is looked at once after it was bought. What is scanned and not packed keeps its scans until it is.
_DUE = (
    select(ParcelLabel.label_id)
    .join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)
    .where(ParcelLabel.due, or_(ParcelLabel.carriage.is_(None), Parcel.status.not_in(("pending", "confirmed"))))
    .limit(bindparam("most", type_=Integer))
)
_SILENT = (
    select(ParcelLabel.label_id)
    .join(Parcel, Parcel.parcel_id == ParcelLabel.parcel_id)
    .where(
        ParcelLabel.watched,
        ParcelLabel.promised_on < func.current_date() - bindparam("days", type_=Integer),
        func.coalesce(ParcelLabel.last_scan_at, ParcelLabel.created_at) < func.now() - bindparam("age", type_=Interval),
        Parcel.status.not_in(("pending", "confirmed", "processing")),
    )
    .order_by(ParcelLabel.promised_on)
    .limit(bindparam("most", type_=Integer))
)
SCAN = select(
    ParcelScan.event_id,
    ParcelScan.tracking_number,
    ParcelScan.kind,
    ParcelScan.occurred_at,
    ParcelScan.place,
    ParcelScan.note,
)
_SCANS = SCAN.where(ParcelScan.tracking_id == bindparam("tracking_id", type_=Uuid))


async def carried(tx: Tx, label_id: UUID) -> Carried | None:
    """The label, when it was bought."""
    return await tx.first_as(Carried, _BY_LABEL, {"label_id": label_id})


async def scans_of(tx: Tx, tracking_id: UUID) -> list[Scan]:
    """Every scan of a parcel."""
    return await tx.all_as(Scan, _SCANS, {"tracking_id": tracking_id})


async def due_labels(tx: ReadTx, most: int) -> Sequence[UUID]:
    """Labels with scans that may not have been taken into account."""
    return [row[0] for row in await tx.all(_DUE, {"most": most})]


async def silent_labels(tx: ReadTx, days: int, most: int) -> Sequence[UUID]:
    """Labels of parcels on their way that were promised so many days ago, and not scanned since."""
    values = {"days": days, "age": timedelta(days=days), "most": most}
    return [row[0] for row in await tx.all(_SILENT, values)]
