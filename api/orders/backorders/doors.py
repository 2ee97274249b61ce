"""What follows from events for parcels that wait: they look for units that came, and their buyers are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.nested import json_rows
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.backorders.commands import LATE
from api.orders.backorders.jobs import CAME
from api.orders.models import Order, OrderItem, Parcel
from api.orders.queries.lines import TITLE
from api.orders.queries.locked import RETURNED_UNITS
from api.orders.states import EVENT_OF, PARCEL_EVENT_OF, RETURN_EVENT_OF

# Units come by the first three. What is no longer wanted goes to whoever waits next.
_MORE = frozenset(
    {
        *("StockReceived", "StockAdjusted", "StockTransferred"),
        *("StockReleased", "StockReturned", "ReservationExpired"),
        *(EVENT_OF["cancelled"], PARCEL_EVENT_OF["cancelled"], RETURN_EVENT_OF["approved"]),
    }
)
# Event -> the mail that it makes.
_MAILS = {PARCEL_EVENT_OF["confirmed"]: "backorder-ready", LATE: "backorder-late"}


@dataclass(frozen=True, slots=True)
class _Told:
    parcel_id: UUID
    number: int
    promised_on: date | None
    order_number: str
    user_id: UUID | None
    guest_email: str | None
    lines: list[dict[str, object]]

    @property
    def data(self) -> dict[str, object]:
        return {
            "number": self.order_number,
            "parcel": self.number,
            "delivery": None if self.promised_on is None else self.promised_on.isoformat(),
            "lines": self.lines,
        }


_TOLD = (
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.promised_on,
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


async def _more(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if any(event.event_type in _MORE for event in events):
        CAME.ring()


async def _tell(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each parcel that waits no longer, or longer than was promised."""
    told = [event for event in events if event.event_type in _MAILS]
    if not told:
        return
    parcels = {one.parcel_id: one for one in await tx.all_as(_Told, _TOLD, {"ids": [one.aggregate_id for one in told]})}
    emails = await emails_of(tx, {parcel.user_id for parcel in parcels.values() if parcel.user_id is not None})
    mails = []
    for event in told:
        parcel = parcels[event.aggregate_id]
        buyer = parcel.guest_email if parcel.user_id is None else emails.get(parcel.user_id)
        if buyer is not None:
            mails.append(mail.NewMail(event.event_id, _MAILS[event.event_type], buyer, parcel.data))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_more, _tell)
