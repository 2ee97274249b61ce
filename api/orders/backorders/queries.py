"""Reads of parcels that wait for units, for the shop itself."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Select, Uuid, any_, bindparam, func, select

from api.kernel.db import ReadTx
from api.orders.backorders.queue import Waiting
from api.orders.models import OrderItem, Parcel
from api.orders.queries.locked import RETURNED_UNITS

# Those of a checkout that has not been paid yet keep their place in the queue.
_WAITS = (Parcel.expected_on.is_not(None), Parcel.status.in_(("pending", "backordered")))
_UNITS = OrderItem.quantity - RETURNED_UNITS


def _lines() -> Select[Any]:  # Any: columns of several types
    """What is waited for: a row for each parcel, variant and warehouse."""
    return (
        select(
            Parcel.parcel_id,
            Parcel.order_id,
            OrderItem.variant_id,
            OrderItem.warehouse_id,
            func.sum(_UNITS).cast(Integer).label("units"),
            func.count().over(partition_by=Parcel.parcel_id).cast(Integer).label("lines"),
            (Parcel.status == "backordered").label("paid"),
            Parcel.created_at,
            Parcel.number,
        )
        .join(OrderItem, OrderItem.parcel_id == Parcel.parcel_id)
        .where(OrderItem.order_id == Parcel.order_id, *_WAITS)
        .group_by(Parcel.parcel_id, OrderItem.variant_id, OrderItem.warehouse_id)
        .having(func.sum(_UNITS) > 0)
    )


_OF_ALL = _lines().subquery()
_PLACES = select(
    _OF_ALL.c.variant_id, _OF_ALL.c.warehouse_id, func.sum(_OF_ALL.c.units).cast(Integer).label("units")
).group_by(_OF_ALL.c.variant_id, _OF_ALL.c.warehouse_id)
_QUEUE = (
    select(*(column for column in _OF_ALL.c if column.key not in {"created_at", "number"}))
    .where(_OF_ALL.c.variant_id == any_(bindparam("variants", type_=ARRAY(Uuid))))
    # What a seller has split off has the place of the parcel that it was in, and goes first.
    .order_by(_OF_ALL.c.created_at, _OF_ALL.c.number.desc(), _OF_ALL.c.parcel_id, _OF_ALL.c.variant_id)
)


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """Units of a variant that parcels wait for in a warehouse."""

    variant_id: UUID
    warehouse_id: UUID
    units: int


async def waited_for(tx: ReadTx) -> Sequence[WaitedFor]:
    """All that is waited for, by variant and warehouse."""
    return await tx.all_as(WaitedFor, _PLACES)


async def queue_for(tx: ReadTx, variants: Collection[UUID]) -> Sequence[Waiting]:
    """The parcels that wait for one of the variants, the first to be served first."""
    return await tx.all_as(Waiting, _QUEUE, {"variants": list(variants)})
