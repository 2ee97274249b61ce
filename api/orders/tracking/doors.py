"""The mails about a parcel that was given up: to its buyer, and to its seller."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

import orjson
from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.models import Order, Parcel
from api.orders.tracking.commands.losses import PARCEL_LOST


@dataclass(frozen=True, slots=True)
class _Lost:
    parcel_id: UUID
    number: int
    seller_id: UUID
    order_number: str
    user_id: UUID | None
    guest_email: str | None
    currency: str


_LOST = (
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.seller_id,
        Order.order_number,
        Order.user_id,
        Order.guest_email,
        Order.currency,
    )
    .join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.parcel_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


async def _lost_parcels(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    lost = {event.aggregate_id: event for event in events if event.event_type == PARCEL_LOST}
    if not lost:
        return
    parcels = await tx.all_as(_Lost, _LOST, {"ids": list(lost)})
    people = {parcel.seller_id for parcel in parcels} | {parcel.user_id for parcel in parcels if parcel.user_id}
    emails = await emails_of(tx, people)
    mails = []
    for parcel in parcels:
        event = lost[parcel.parcel_id]
        data: dict[str, object] = {
            "number": parcel.order_number,
            "parcel": parcel.number,
            "amount": f"{Decimal(str(orjson.loads(event.payload)['amount'])):.2f}",
            "currency": parcel.currency,
        }
        buyer = parcel.guest_email if parcel.user_id is None else emails.get(parcel.user_id)
        if buyer is not None:
            mails.append(mail.NewMail(event.event_id, "parcel-lost", buyer, data))
        if parcel.seller_id in emails:
            # The second mail of the event has an id of its own, the same each time.
            own = uuid5(event.event_id, "seller")
            mails.append(mail.NewMail(own, "parcel-lost-seller", emails[parcel.seller_id], data))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_lost_parcels,)
