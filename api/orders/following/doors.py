"""The mails that follow from the events of orders."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, Executable, String, bindparam, column, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.kernel.security import hash_opaque_token
from api.mail import commands as mail
from api.mail.tokens import token_of
from api.orders.commands.claims import CLAIM_ASKED, LOOK_UP_ASKED
from api.orders.edits.queries import LeftLine, lines_left
from api.orders.edits.statements import EDITED
from api.orders.kits.told import rows_of, title_with_kit
from api.orders.models import OrderToken
from api.orders.parcels.changes.cancelling import UNITS_CANCELLED
from api.orders.parcels.changes.reasons import SELLER_POLICIES
from api.orders.queries.guests import Confirmed, ConfirmedLine, claims_asked, confirmed_orders, look_ups_asked
from api.orders.queries.told import buyers_emails
from api.orders.states import EVENT_OF


async def _confirmations(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each order that was placed; a guest's has the token that opens the order."""
    placed = {event.aggregate_id: event for event in events if event.event_type == EVENT_OF["confirmed"]}
    if not placed:
        return
    orders, lines = await confirmed_orders(tx, placed)
    recipients = await _recipients(tx, orders)
    by_order: dict[UUID, list[ConfirmedLine]] = defaultdict(list)
    for line in lines:
        by_order[line.order_id].append(line)
    guests = [order for order in orders if order.user_id is None]
    await _store_tokens(ctx, tx, [(order, placed[order.order_id]) for order in guests])
    mails = []
    for order in orders:
        event, is_guest = placed[order.order_id], order.user_id is None
        recipient = recipients[order.order_id]
        if recipient is None:
            continue
        data = _data(order, by_order[order.order_id])
        data["until"] = f"{_until(ctx, event):%Y-%m-%d}" if is_guest else None
        token = event.event_id if is_guest else None
        mails.append(mail.NewMail(event.event_id, "order-confirmation", recipient, data, token))
    await mail.queue(tx, mails)


async def _cancellations(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each part of an order that its seller does not send."""
    told = [(event, orjson.loads(event.payload)) for event in events if event.event_type == UNITS_CANCELLED]
    if not told:
        return
    orders, lines = await confirmed_orders(tx, {UUID(cancelled["orderId"]) for _, cancelled in told})
    recipients, by_id = await _recipients(tx, orders), {str(order.order_id): order for order in orders}
    titles = {str(line.order_item_id): title_with_kit(line) for line in lines}
    mails = []
    for event, cancelled in told:
        order = by_id[cancelled["orderId"]]
        recipient = recipients[order.order_id]
        if recipient is None:
            continue
        data = {
            "number": order.order_number,
            "currency": order.currency,
            "amount": cancelled["refundAmount"],
            "reason": SELLER_POLICIES[cancelled["reasonCode"]].words,
            "lines": [
                {"quantity": line["quantity"], "title": titles[line["orderItemId"]]} for line in cancelled["lines"]
            ],
        }
        mails.append(mail.NewMail(event.event_id, "units-cancelled", recipient, data))
    await mail.queue(tx, mails)


async def _recipients(tx: Tx, orders: Sequence[Confirmed]) -> dict[UUID, str | None]:
    """Where the mail about each order goes."""
    emails = await buyers_emails(tx, orders)
    return {order.order_id: email for order, email in zip(orders, emails, strict=True)}


async def _edits(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each edit of an order: what is in it now, and what was charged or refunded."""
    edited = [(event, orjson.loads(event.payload)) for event in events if event.event_type == EDITED]
    if not edited:
        return
    orders, _ = await confirmed_orders(tx, {event.aggregate_id for event, _ in edited})
    recipients = await _recipients(tx, orders)
    by_order: dict[UUID, list[LeftLine]] = defaultdict(list)
    for line in await lines_left(tx, {order.order_id for order in orders}):
        by_order[line.order_id].append(line)
    known, mails = {order.order_id: order for order in orders}, []
    for event, change in edited:
        order = known[event.aggregate_id]
        recipient = recipients[order.order_id]
        if recipient is None:
            continue
        told = by_order[order.order_id]
        data = {
            **_data(order, []),
            "lines": rows_of(told),
            "total": change["due"],
            "charged": None if Decimal(change["charged"]) == 0 else change["charged"],
            "refunded": None if Decimal(change["refunded"]) == 0 else change["refunded"],
        }
        mails.append(mail.NewMail(event.event_id, "order-edited", recipient, data))
    await mail.queue(tx, mails)


async def _claims(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """A mail for each member who asked for a code; none where the address has no guest orders."""
    asked = {event.aggregate_id: event for event in events if event.event_type == CLAIM_ASKED}
    if not asked:
        return
    mails = [
        mail.NewMail(
            asked[claim.token_id].event_id,
            "order-claim",
            claim.email,
            {"until": f"{claim.expires_at:%Y-%m-%d %H:%M} UTC"},
            claim.token_id,
        )
        for claim in await claims_asked(tx, asked)
    ]
    await mail.queue(tx, mails)


async def _look_ups(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """The order's mail once more, with the code that was asked for, to the address of the order."""
    asked = {event.aggregate_id: event for event in events if event.event_type == LOOK_UP_ASKED}
    if not asked:
        return
    wanted = await look_ups_asked(tx, asked)
    found, lines = await confirmed_orders(tx, {one.order_id for one in wanted})
    orders = {order.order_id: order for order in found}
    mails = []
    for one in wanted:
        order = orders[one.order_id]
        if order.guest_email is None:
            continue
        data = _data(order, [line for line in lines if line.order_id == order.order_id])
        data["until"] = f"{one.expires_at:%Y-%m-%d}"
        event_id = asked[one.token_id].event_id
        mails.append(mail.NewMail(event_id, "order-confirmation", order.guest_email, data, one.token_id))
    await mail.queue(tx, mails)


def _data(order: Confirmed, lines: Sequence[ConfirmedLine]) -> dict[str, object]:
    return {
        "number": order.order_number,
        "currency": order.currency,
        "total": str(order.total),
        "delivery": None if order.estimated_delivery is None else order.estimated_delivery.isoformat(),
        "lines": rows_of(lines),
    }


async def _store_tokens(ctx: Context, tx: Tx, orders: Sequence[tuple[Confirmed, Pending]]) -> None:
    """The token of each guest's order has the id of the event, so that an event that is read twice makes one."""
    if not orders:
        return
    values = {
        "token_id": [event.event_id for _, event in orders],
        "token_hash": [hash_opaque_token(token_of(ctx.keys, event.event_id)) for _, event in orders],
        "order_id": [order.order_id for order, _ in orders],
        "expires_at": [_until(ctx, event) for _, event in orders],
    }
    await tx.execute(_STORE_TOKENS, values)


def _until(ctx: Context, event: Pending) -> datetime:
    return event.created_at + timedelta(seconds=ctx.settings.order_token_seconds)


def _store_statement() -> Executable:
    """Insert tokens of orders, given as columns, that are not there."""
    given = (OrderToken.token_id, OrderToken.token_hash, OrderToken.order_id, OrderToken.expires_at)
    lists = func.unnest(*(bindparam(one.key, type_=ARRAY(one.type)) for one in given))
    rows = lists.table_valued(*(column(one.key, one.type) for one in given)).render_derived("given")
    values = select(*(rows.c[one.key] for one in given), literal("order", String))
    added = insert(OrderToken).from_select([*given, OrderToken.purpose], values)
    return added.on_conflict_do_nothing(index_elements=[OrderToken.token_id])


_STORE_TOKENS = _store_statement()
DOORS: tuple[Door, ...] = (_confirmations, _cancellations, _edits, _claims, _look_ups)
