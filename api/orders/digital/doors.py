"""What follows from events for what is delivered online: a payment wakes the job that delivers, and buyers are mailed
that something is there. What it is stands in the order alone."""

from collections.abc import Sequence

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.digital.commands import DELIVERED_ONLINE
from api.orders.digital.jobs import PAID
from api.orders.queries.told import told_parcels
from api.payments.statements import EVENT_OF


async def _paid(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if any(event.event_type == EVENT_OF["captured"] for event in events):
        PAID.ring()


async def _tell(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    told = {event.aggregate_id: event for event in events if event.event_type == DELIVERED_ONLINE}
    if not told:
        return
    mails = []
    for parcel, buyer in (await told_parcels(tx, told)).values():
        data: dict[str, object] = {"number": parcel.order_number, "lines": parcel.lines}
        mails.append(mail.NewMail(told[parcel.parcel_id].event_id, "digital-ready", buyer, data))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_paid, _tell)
