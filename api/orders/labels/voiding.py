"""A label says what its parcel weighs: when units leave the parcel, it goes back."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select, update

from api.kernel.db import Tx
from api.orders.labels.errors import HasLabel
from api.orders.labels.models import ParcelLabel

_OF_PARCEL = (ParcelLabel.parcel_id == bindparam("parcel", type_=Uuid), ParcelLabel.return_id.is_(None))
_BEING_ASKED = select(ParcelLabel.label_id).where(*_OF_PARCEL, ParcelLabel.status == "asked")
_VOID = (
    update(ParcelLabel)
    .where(*_OF_PARCEL, ParcelLabel.status == "bought")
    .values(status="cancelling", updated_at=func.now())
)


async def void_label(tx: Tx, parcel_id: UUID) -> None:
    """Give back the label of a parcel, of an order that is locked: the worker asks the carrier, which keeps one that it
    has scanned."""
    await tx.execute(_VOID, {"parcel": parcel_id})


async def require_no_asked_label(tx: Tx, parcel_id: UUID) -> None:
    """Raises: HasLabel while a carrier is being asked for one, whose weight would be wrong."""
    if await tx.first(_BEING_ASKED, {"parcel": parcel_id}) is not None:
        raise HasLabel("The carrier is being asked for it; try again in a moment.", extra={"labelStatus": "asked"})
