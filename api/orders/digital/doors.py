"""The mail that something is there; what it is stands in the order alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.nested import json_rows
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.digital.commands import DELIVERED_ONLINE
from api.orders.models import Order, OrderItem, Parcel
from api.orders.queries.lines import TITLE
from api.orders.queries.locked import RETURNED_UNITS


@dataclass(frozen=True, slots=True)
class _Told:
    parcel_id: UUID
    order_number: str
    user_id: UUID | None
    guest_email: str | None
    lines: list[dict[str, object]]


_TOLD = (
    select(
        Parcel.parcel_id,
        Order.order_number,
        Order.user_id,
        Order.guest_email,
        select(json_rows((TITLE, (OrderItem.quantity - RETURNED_UNITS).label("quantity")), OrderItem.order_item_id))
        .where(OrderItem.order_id == Parcel.order_id, OrderItem.parcel_id == Parcel.parcel_id)
        .scalar_subquery()
        .label("lines"),
    )
    .join(Order, Order.order_id == Parcel.order_id)
    .where(Parcel.parcel_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
)


async def _tell(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    told = {event.aggregate_id: event for event in events if event.event_type == DELIVERED_ONLINE}
    if not told:
        return
    parcels = await tx.all_as(_Told, _TOLD, {"ids": list(told)})
    emails = await emails_of(tx, {parcel.user_id for parcel in parcels if parcel.user_id is not None})
    mails = []
    for parcel in parcels:
        buyer = parcel.guest_email if parcel.user_id is None else emails.get(parcel.user_id)
        if buyer is not None:
            data: dict[str, object] = {"number": parcel.order_number, "lines": parcel.lines}
            mails.append(mail.NewMail(told[parcel.parcel_id].event_id, "digital-ready", buyer, data))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_tell,)
