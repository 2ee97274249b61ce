"""A parcel that is cancelled gives its label back: the carrier is asked by the worker."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select, update

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.orders.labels.models import ParcelLabel
from api.orders.models import Parcel
from api.orders.states import EVENT_OF, PARCEL_EVENT_OF

_CANCELLED = frozenset({EVENT_OF["cancelled"], PARCEL_EVENT_OF["cancelled"]})
_PARCELS = select(Parcel.parcel_id).where(
    Parcel.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))), Parcel.status == "cancelled"
)
_CANCEL_LABELS = (
    update(ParcelLabel)
    .where(ParcelLabel.parcel_id.in_(_PARCELS), ParcelLabel.status == "bought")
    .values(status="cancelling", updated_at=func.now())
)


async def _cancel_labels(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    orders = {UUID(orjson.loads(event.payload)["orderId"]) for event in events if event.event_type in _CANCELLED}
    if orders:
        await tx.execute(_CANCEL_LABELS, {"order_ids": list(orders)})


DOORS: tuple[Door, ...] = (_cancel_labels,)
