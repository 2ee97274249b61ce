"""What follows from events for parcels that wait: they look for units that came, and their buyers are told."""

from collections.abc import Sequence

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.backorders.commands import LATE
from api.orders.backorders.jobs import CAME
from api.orders.queries.told import told_parcels
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


async def _more(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    if any(event.event_type in _MORE for event in events):
        CAME.ring()


async def _tell(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each parcel that waits no longer, or longer than was promised."""
    told = [event for event in events if event.event_type in _MAILS]
    if not told:
        return
    parcels = await told_parcels(tx, {event.aggregate_id for event in told})
    mails = []
    for event in told:
        if (found := parcels.get(event.aggregate_id)) is None:
            continue
        parcel, buyer = found
        data: dict[str, object] = {
            "number": parcel.order_number,
            "parcel": parcel.number,
            "delivery": None if parcel.promised_on is None else parcel.promised_on.isoformat(),
            "lines": parcel.lines,
        }
        mails.append(mail.NewMail(event.event_id, _MAILS[event.event_type], buyer, data))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_more, _tell)
