"""Ask buyers for reviews of what was delivered to them, once for each line of an order, and never who wants no such
mail."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Integer, Interval, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel import failpoints, outbox
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.mail.tokens import id_of
from api.orders.queries.bought import DeliveredLine, delivered_in, delivered_lines
from api.reviews.errors import ReviewNotFound
from api.reviews.events import REQUESTED
from api.reviews.models import ReviewByUser, ReviewOptOut, ReviewRequest

BATCH = 100


@dataclass(frozen=True, slots=True)
class _Due:
    request_id: UUID
    order_item_id: UUID


_TAKE = (
    select(ReviewRequest.request_id, ReviewRequest.order_item_id)
    .where(ReviewRequest.status == "due", ReviewRequest.due_at <= func.now())
    .order_by(ReviewRequest.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


async def note_deliveries(tx: Tx, orders: Collection[UUID], delay: timedelta) -> None:
    """Ask for a review of each line of these orders that was delivered, so long from now; a line that is noted already
    is left alone."""
    rows = [
        {"request_id": new_id(), "order_item_id": line.order_item_id, "order_id": line.order_id,
         "product_id": line.product_id, "user_id": line.user_id}
        for line in await delivered_in(tx, orders)
        if line.status == "delivered"
    ]  # fmt: skip
    if rows:
        due = func.now() + bindparam("delay", delay, type_=Interval)
        made = upsert(ReviewRequest).values([{**row, "due_at": due} for row in rows])
        await tx.execute(made.on_conflict_do_nothing())


async def send_due(ctx: Context) -> int:
    """Let the mails go out that are due; returns how many requests were looked at."""
    total = 0
    while True:
        looked = await ctx.db.run(_send_some)
        total += looked
        if looked < BATCH:
            return total


async def _send_some(tx: Tx) -> int:
    due = await tx.all_as(_Due, _TAKE, {"most": BATCH})
    lines = {line.order_item_id: line for line in await delivered_lines(tx, [one.order_item_id for one in due])}
    for one in due:
        line = lines.get(one.order_item_id)
        reason = await _reason_against(tx, line)
        values = {"status": "sent" if reason is None else "skipped", "reason": reason}
        buyer = {} if line is None else {"user_id": line.user_id}
        row = update(ReviewRequest).where(ReviewRequest.request_id == one.request_id)
        await tx.execute(row.values(**values, **buyer))
        if reason is None and line is not None:
            payload = {"requestId": one.request_id, "orderItemId": line.order_item_id, "productId": line.product_id}
            await outbox.emit(tx, "review_request", one.request_id, REQUESTED, payload)
    if due:
        failpoints.hit("reviews.after_requests")
    return len(due)


async def _reason_against(tx: Tx, line: DeliveredLine | None) -> str | None:
    if line is None or line.status != "delivered":
        return "returned"
    if line.user_id is None:
        return "guest"
    asked = (ReviewByUser.user_id == line.user_id, ReviewByUser.product_id == line.product_id)
    if await tx.first(select(ReviewByUser.review_id).where(*asked)) is not None:
        return "reviewed"
    if await tx.first(select(ReviewOptOut.user_id).where(ReviewOptOut.user_id == line.user_id)) is not None:
        return "unsubscribed"
    return None


async def unsubscribe(ctx: Context, token: str) -> None:
    """Ask the member whom the mail with this code was for no more; again changes nothing. Raises: ReviewNotFound, when
    it is no such code."""
    request_id = id_of(ctx.keys, token)

    async def work(tx: Tx) -> None:
        asked = select(ReviewRequest.user_id).where(ReviewRequest.request_id == request_id)
        user_id: UUID | None = await tx.scalar(asked) if request_id is not None else None
        if user_id is None:
            raise ReviewNotFound
        await tx.execute(upsert(ReviewOptOut).values(user_id=user_id).on_conflict_do_nothing())

    await ctx.db.run(work)
