"""What changes a review that is there: votes, decisions, deliveries, and its author who removes it.

A review is one row of `reviews` and one of `reviews_by_user`, which are written in one transaction. Whoever changes one
holds its row of `reviews` first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Query, Tx, done
from api.kernel.outbox import Event, events_part
from api.kernel.statement import OPEN_GATE, compose
from api.media.commands import show
from api.orders.queries.bought import delivered_in
from api.reviews.errors import ReviewNotFound
from api.reviews.events import AGGREGATE, DECIDED, DELETED, VERIFIED
from api.reviews.judging.traces import UNKNOWN, Trace
from api.reviews.models import Review, ReviewByUser, ReviewReport, ReviewVote
from api.reviews.schemas import Erased, Status
from api.reviews.votes.helpfulness import wilson

# The row of a review by its id: through the narrow row, which says in which partition it is.
FOUND = and_(
    Review.product_id == ReviewByUser.product_id,
    Review.created_at == ReviewByUser.created_at,
    Review.review_id == ReviewByUser.review_id,
)


@dataclass(frozen=True, slots=True)
class Locked:
    """A review as it is before the change."""

    review_id: UUID
    product_id: UUID
    created_at: datetime
    user_id: UUID
    seller_id: UUID
    rating: int
    title: str | None
    comment: str
    language: str | None
    images: list[str]
    verified_purchase: bool
    helpful_count: int
    not_helpful_count: int
    status: Status
    version: int


READ = (
    select(*(getattr(Review, name) for name in Locked.__slots__))
    .select_from(ReviewByUser)
    .join(Review, FOUND)
    .where(ReviewByUser.review_id == bindparam("review_id", type_=Uuid))
)
_LOCKED = READ.with_for_update(of=Review)
_UNVERIFIED = select(ReviewByUser.review_id).where(
    ReviewByUser.user_id == bindparam("user_id", type_=Uuid),
    ReviewByUser.product_id == bindparam("product_id", type_=Uuid),
    ~ReviewByUser.verified_purchase,
)
# Of one shopper on one review, with whether it counts.
_VOTE = select(ReviewVote.helpful, ReviewVote.standing)
_COUNTED = ReviewVote.standing != "quarantined"


async def remove(ctx: Context, actor: Actor, review_id: UUID) -> None:
    """Delete one's own review with its votes, answer, reports and earlier versions. Raises: ReviewNotFound."""

    async def work(tx: Tx) -> None:
        await _remove(tx, await lock_own(tx, actor, review_id))

    await ctx.db.run(work)


async def erase(ctx: Context, actor: Actor) -> Erased:
    """Delete everything that the actor wrote here: reviews, votes on those of others, and reports of them."""

    async def work(tx: Tx) -> Erased:
        mine = select(ReviewByUser.review_id).where(ReviewByUser.user_id == actor.user_id)
        written = [row[0] for row in await tx.all(mine.order_by(ReviewByUser.review_id))]
        voted = select(ReviewVote.review_id).where(ReviewVote.user_id == actor.user_id)
        judged = [row[0] for row in await tx.all(voted.order_by(ReviewVote.review_id))]
        locked = {review_id: await lock(tx, review_id) for review_id in sorted({*written, *judged})}
        for review_id in judged:
            if (review := locked[review_id]) is not None:
                await set_vote(tx, actor, review, None)
        for review_id in written:
            if (review := locked[review_id]) is not None:
                await _remove(tx, review)
        gone = await tx.execute(delete(ReviewReport).where(ReviewReport.user_id == actor.user_id))
        return Erased(reviews=len(written), votes=len(judged), reports=gone.rowcount)

    return await ctx.db.run(work)


async def set_vote(
    tx: Tx, actor: Actor, review: Locked, helpful: bool | None, trace: Trace = UNKNOWN
) -> tuple[int, int]:
    """Set, change or take back (None) the actor's vote on a review that the caller holds; returns how many votes count
    then: helpful, and not. One that was set aside stays so when it is changed."""
    own = (ReviewVote.review_id == review.review_id, ReviewVote.user_id == actor.user_id)
    found = await tx.first(_VOTE.where(*own))
    before: bool | None = None if found is None else found[0]
    counts = [review.not_helpful_count, review.helpful_count]
    if before == helpful:
        return counts[1], counts[0]
    counted = 0 if found is not None and found[1] == "quarantined" else 1
    if before is not None:
        counts[before] -= counted
    if helpful is None:
        vote = done(delete(ReviewVote).where(*own))
    else:
        counts[helpful] += counted
        row = {"review_id": review.review_id, "user_id": actor.user_id, "helpful": helpful}
        given = upsert(ReviewVote).values(**row, address=trace.address, device=trace.device)
        changed = {"helpful": helpful, "updated_at": func.now()}
        vote = done(given.on_conflict_do_update(index_elements=["review_id", "user_id"], set_=changed))
    await tx.batch(vote, _counts(review, counts[1], counts[0]))
    return counts[1], counts[0]


async def recount(tx: Tx, review: Locked) -> tuple[int, int]:
    """Count the votes on a review that the caller holds, without those that were set aside; returns how many count:
    helpful, and not."""
    both = [func.count().filter(ReviewVote.helpful, _COUNTED), func.count().filter(~ReviewVote.helpful, _COUNTED)]
    row = await tx.first(select(*both).where(ReviewVote.review_id == review.review_id))
    helpful, not_helpful = (0, 0) if row is None else (row[0], row[1])
    await tx.fetch(_counts(review, helpful, not_helpful))
    return helpful, not_helpful


def _counts(review: Locked, helpful: int, not_helpful: int) -> Query[None]:
    counts = {
        "helpful_count": helpful,
        "not_helpful_count": not_helpful,
        "helpfulness": wilson(helpful, not_helpful),
    }
    return done(update(Review).where(*_row_of(review)).values(counts))


async def set_status(tx: Tx, review: Locked, status: Status) -> None:
    """Publish a review that the caller holds, or show it no longer. Nothing happens when it is so already."""
    if status == review.status:
        return
    await tx.batch(*changed(review, {"status": status}, {}))
    await _emit(tx, DECIDED, review.review_id, {**_ids(review), "rating": review.rating, "status": status})


async def verify_deliveries(ctx: Context, orders: Collection[UUID]) -> None:
    """What was written about a product before it was delivered, or before its order was claimed, is a verified purchase
    now; for the relay. Each in a transaction of its own, and once however often it is called."""
    async with ctx.db.read() as tx:
        lines = [line for line in await delivered_in(tx, orders) if line.user_id is not None]
        written = [
            (line.order_id, await tx.scalar(_UNVERIFIED, {"user_id": line.user_id, "product_id": line.product_id}))
            for line in lines
        ]
    for order_id, review_id in written:
        if review_id is not None:
            await ctx.db.run(partial(_verify, review_id=review_id, order_id=order_id))


async def _verify(tx: Tx, review_id: UUID, order_id: UUID) -> None:
    review = await lock(tx, review_id)
    if review is None or review.verified_purchase:
        return
    await tx.batch(*changed(review, {"verified_purchase": True, "order_id": order_id}, {}))
    await _emit(tx, VERIFIED, review_id, {**_ids(review), "rating": review.rating, "status": review.status})


async def lock(tx: Tx, review_id: UUID) -> Locked | None:
    """The review, which nobody else changes until the transaction ends; None when there is none."""
    return await tx.first_as(Locked, _LOCKED, {"review_id": review_id})


async def lock_own(tx: Tx, actor: Actor, review_id: UUID) -> Locked:
    """The same of one's own. Raises: ReviewNotFound, also for somebody else's."""
    found = await lock(tx, review_id)
    if found is None or found.user_id != actor.user_id:
        raise ReviewNotFound
    return found


async def lock_published(tx: Tx, review_id: UUID) -> Locked:
    """The same of one that everybody sees. Raises: ReviewNotFound."""
    found = await lock(tx, review_id)
    if found is None or found.status != "published":
        raise ReviewNotFound
    return found


def changed(
    review: Locked,
    shared: dict[str, Any],  # Any: values of columns
    own: dict[str, Any],
    digest: str | None = None,
) -> tuple[Query[None], Query[None]]:
    """Set columns that both rows have, and those of the row with the text."""
    narrow = {**shared, "updated_at": func.now(), **({} if digest is None else {"text_digest": digest})}
    return (
        done(update(ReviewByUser).where(ReviewByUser.review_id == review.review_id).values(narrow)),
        done(update(Review).where(*_row_of(review)).values({**shared, **own})),
    )


async def _remove(tx: Tx, review: Locked) -> None:
    if review.images:
        await show(tx, "review", review.review_id, [])
    await tx.execute(delete(Review).where(*_row_of(review)))
    await tx.execute(delete(ReviewByUser).where(ReviewByUser.review_id == review.review_id))
    gone = {**_ids(review), "rating": review.rating, "status": review.status}
    await _emit(tx, DELETED, review.review_id, gone)


def _row_of(review: Locked) -> tuple[Any, ...]:  # Any: conditions on columns of several types
    return (
        Review.product_id == review.product_id,
        Review.created_at == review.created_at,
        Review.review_id == review.review_id,
    )


def _ids(review: Locked) -> dict[str, Any]:  # Any: ids
    return {"product_id": review.product_id, "seller_id": review.seller_id}


async def _emit(tx: Tx, event: str, review_id: UUID, review: dict[str, Any]) -> None:  # Any: values of columns
    await tx.execute(*compose([OPEN_GATE, events_part([event_of(event, review_id, review)])], "1"))


def event_of(event: str, review_id: UUID, review: dict[str, Any]) -> Event:  # Any: values of columns
    """What is told of a review, by the names of its columns."""
    payload = {
        "productId": review["product_id"],
        "sellerId": review["seller_id"],
        "rating": review["rating"],
        "status": review["status"],
    }
    return Event(AGGREGATE, review_id, event, payload)
