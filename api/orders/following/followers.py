"""What follows from an order's events in other streams: a placed order is a purchase of each of its products, and an
edit one of each that it adds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import and_, or_, select

from api.events.stream import STREAM, purchase_of
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import ReadTx
from api.kernel.outbox import Follower, Message, Pending
from api.orders.edits.statements import EDITED
from api.orders.models import Order, OrderItem
from api.orders.states import EVENT_OF


@dataclass(frozen=True, slots=True)
class _Line:
    order_item_id: UUID
    order_id: UUID
    product_id: UUID
    quantity: int
    user_id: UUID | None
    guest_session: str | None


async def _purchases(ctx: Context, tx: ReadTx, events: Sequence[Pending]) -> Mapping[UUID, Sequence[Message]]:
    placed = {event.aggregate_id: event for event in events if event.event_type == EVENT_OF["confirmed"]}
    edits = {event.event_id: event for event in events if event.event_type == EDITED}
    added = {UUID(line): edit for edit in edits.values() for line in orjson.loads(edit.payload)["added"]}
    found: dict[UUID, list[Message]] = defaultdict(list)
    if not placed and not added:
        return found
    lines = (
        select(
            OrderItem.order_item_id,
            OrderItem.order_id,
            OrderItem.product_id,
            OrderItem.quantity,
            Order.user_id,
            Order.guest_session,
        )
        .join(Order, Order.order_id == OrderItem.order_id)
        .where(
            or_(
                and_(OrderItem.order_id.in_(placed), OrderItem.edit_id.is_(None)),
                OrderItem.order_item_id.in_(added),
            )
        )
        .order_by(OrderItem.order_id, OrderItem.order_item_id)
    )
    received = clock.now()
    for line in await tx.all_as(_Line, lines):
        event = added.get(line.order_item_id) or placed[line.order_id]
        entry = purchase_of(
            ctx.keys,
            line=line.order_item_id,
            order=line.order_id,
            product=line.product_id,
            quantity=line.quantity,
            user=line.user_id,
            guest_session=line.guest_session,
            placed=event.created_at,
            received=max(received, event.created_at),
        )
        found[event.event_id].append(Message(STREAM, entry))
    return found


FOLLOWERS: tuple[Follower, ...] = (_purchases,)
