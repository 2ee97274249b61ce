"""A parcel that is cancelled, or whose order was changed before it was packed, gives its label back: the carrier is
asked by the worker."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, DateTime, Uuid, any_, bindparam, func, select, update

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.orders.edits.statements import EDITED
from api.orders.labels.models import ParcelLabel
from api.orders.models import Parcel
from api.orders.states import EVENT_OF, PARCEL_EVENT_OF

_CANCELLED = frozenset({EVENT_OF["cancelled"], PARCEL_EVENT_OF["cancelled"]})
_BOUGHT = update(ParcelLabel).where(ParcelLabel.status == "bought").values(status="cancelling", updated_at=func.now())
_CANCEL_LABELS = _BOUGHT.where(
    ParcelLabel.parcel_id.in_(
        select(Parcel.parcel_id).where(
            Parcel.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))), Parcel.status == "cancelled"
        )
    )
)
# The buyer has changed what is sent, or where to: a label that was bought before says something else.
_CANCEL_EARLIER = _BOUGHT.where(
    ParcelLabel.created_at < bindparam("edited_at", type_=DateTime(timezone=True)),
    ParcelLabel.parcel_id.in_(
        select(Parcel.parcel_id).where(
            Parcel.order_id == bindparam("order_id", type_=Uuid), Parcel.status == "confirmed"
        )
    ),
)


async def _cancel_labels(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    orders = {UUID(orjson.loads(event.payload)["orderId"]) for event in events if event.event_type in _CANCELLED}
    if orders:
        await tx.execute(_CANCEL_LABELS, {"order_ids": list(orders)})
    for event in events:
        if event.event_type == EDITED:
            order_id = UUID(orjson.loads(event.payload)["orderId"])
            await tx.execute(_CANCEL_EARLIER, {"order_id": order_id, "edited_at": event.created_at})


DOORS: tuple[Door, ...] = (_cancel_labels,)
