"""What follows from deliveries: buyers are asked for reviews later, what they have written already is a verified
purchase, and when it is time they get the mail."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import orjson

from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.orders.digital.commands import DELIVERED_ONLINE
from api.orders.queries.bought import delivered_lines
from api.orders.states import EVENT_OF, PARCEL_EVENT_OF
from api.reviews.commands import verify_deliveries
from api.reviews.events import REQUESTED
from api.reviews.requests.commands import note_deliveries
from api.reviews.requests.queries import asked_by

_DELIVERED = frozenset({PARCEL_EVENT_OF["delivered"], DELIVERED_ONLINE})
_CLAIMED = "OrdersClaimed"


async def _delivered(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    told = [event for event in events if event.event_type in _DELIVERED]
    orders = {UUID(orjson.loads(event.payload)["orderId"]) for event in told}
    orders |= {event.aggregate_id for event in events if event.event_type == EVENT_OF["delivered"]}
    claims = [orjson.loads(event.payload) for event in events if event.event_type == _CLAIMED]
    claimed = {UUID(order) for claim in claims for order in claim["orderIds"]}
    if orders:
        await note_deliveries(tx, orders, timedelta(seconds=ctx.settings.review_request_seconds))
    if orders | claimed:
        await verify_deliveries(ctx, orders | claimed)


async def _asked(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    told = {event.aggregate_id: event for event in events if event.event_type == REQUESTED}
    if not told:
        return
    asked = await asked_by(tx, told)
    emails = await emails_of(tx, {one.user_id for one in asked if one.user_id is not None})
    lines = {line.order_item_id: line for line in await delivered_lines(tx, [one.order_item_id for one in asked])}
    api = f"{ctx.settings.api_url}/api/v1"
    mails = []
    for one in asked:
        line, address = lines.get(one.order_item_id), emails.get(one.user_id) if one.user_id else None
        if line is None or address is None:
            continue
        data: dict[str, object] = {
            "title": line.title or "What you bought",
            "link": f"{api}/products/{one.product_id}/reviews",
            "unsubscribe": f"{api}/reviews/requests/unsubscribe",
        }
        mails.append(mail.NewMail(told[one.request_id].event_id, "review-request", address, data, one.request_id))
    await mail.queue(tx, mails)


DOORS: tuple[Door, ...] = (_delivered, _asked)
