"""Write, change and remove one's own reviews. Whoever writes is signed in.

A review is one row of `reviews` and one of `reviews_by_user`, which are written in one transaction. Whoever changes one
holds its row of `reviews` first.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import String, Uuid, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.queries.placement import placements_query
from api.catalog.queries.products import require_visible
from api.kernel import outbox
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import TooManyRequests
from api.kernel.ids import new_id
from api.kernel.texts import plain
from api.media.commands import Incoming, Taken, show, take_in
from api.orders.queries.bought import delivered_in, received_in
from api.reviews.errors import AlreadyReviewed, OwnProductReview, ReviewChanged, ReviewNotFound
from api.reviews.events import AGGREGATE, DECIDED, DELETED, EDITED, SUBMITTED, VERIFIED
from api.reviews.judging.evidence import Case
from api.reviews.judging.filing import STATUS_OF, file, judged, require_welcome, was_refused
from api.reviews.judging.likeness import signature
from api.reviews.judging.toxicity import toxicity
from api.reviews.judging.traces import UNKNOWN, Trace
from api.reviews.models import Review, ReviewByUser, ReviewReport, ReviewVersion, ReviewVote
from api.reviews.schemas import Erased, ReviewIn, ReviewPatch, Status
from api.reviews.votes.helpfulness import wilson

# What one member may write in an hour.
MOST_AN_HOUR = 30
HOUR = timedelta(hours=1)
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))
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


_READ = (
    select(*(getattr(Review, name) for name in Locked.__slots__))
    .select_from(ReviewByUser)
    .join(Review, FOUND)
    .where(ReviewByUser.review_id == bindparam("review_id", type_=Uuid))
)
_LOCKED = _READ.with_for_update(of=Review)
_WRITTEN = select(func.count()).where(
    ReviewByUser.user_id == bindparam("user_id", type_=Uuid), ReviewByUser.created_at > func.now() - HOUR
)
_EXISTING = select(ReviewByUser.review_id).where(
    ReviewByUser.user_id == bindparam("user_id", type_=Uuid),
    ReviewByUser.product_id == bindparam("product_id", type_=Uuid),
)
_UNVERIFIED = _EXISTING.where(~ReviewByUser.verified_purchase)
# Of one shopper on one review, with whether it counts.
_VOTE = select(ReviewVote.helpful, ReviewVote.standing)
_COUNTED = ReviewVote.standing != "quarantined"


async def submit(ctx: Context, actor: Actor, product_id: UUID, body: ReviewIn, trace: Trace = UNKNOWN) -> UUID:
    """The new review's id.

    Raises: ProductNotFound; OwnProductReview; BuyersOnlyReview; AlreadyReviewed; TooManyRequests; ValidationFailed that
    names a picture; StoreSilent.
    """
    taken = await _taken(ctx, body.images)
    language = body.language or ctx.settings.languages.own
    text = _text(body.title, body.comment)
    toxic = await _toxicity(ctx, text)

    async def work(tx: Tx) -> UUID:
        await _require_patience(tx, actor)
        await require_visible(tx, actor, product_id)
        seller_id = (await tx.fetch(placements_query([product_id])))[product_id].seller_id
        if seller_id == actor.user_id:
            raise OwnProductReview("Buyers review it; you may answer what they write.")
        assert actor.user_id is not None
        mine = {"user_id": actor.user_id, "product_id": product_id}
        if (known := await tx.scalar(_EXISTING, mine)) is not None:
            raise AlreadyReviewed(known)
        review_id, digest = new_id(), text_digest(body.title, body.comment)
        order_id = await received_in(tx, actor, product_id)
        await require_welcome(tx, product_id, seller_id, verified=order_id is not None)
        case = Case(
            review_id=review_id,
            user_id=actor.user_id,
            product_id=product_id,
            seller_id=seller_id,
            rating=body.rating,
            text=text,
            digest=digest,
            language=language,
            verified=order_id is not None,
            trace=trace,
            signature=signature(text),
            toxicity=toxic,
        )
        verdict = await judged(tx, ctx, case)
        shared = {
            **mine,
            "review_id": review_id,
            "seller_id": seller_id,
            "order_id": order_id,
            "rating": body.rating,
            "verified_purchase": order_id is not None,
            "status": STATUS_OF[verdict.decision],
            "created_at": func.now(),
        }
        indexed = upsert(ReviewByUser).values(**shared, text_digest=digest).on_conflict_do_nothing()
        if (await tx.execute(indexed)).rowcount == 0:
            raise AlreadyReviewed(await tx.scalar(_EXISTING, mine))
        images = await show(tx, "review", review_id, taken) if taken else []
        told = {"title": body.title, "comment": body.comment, "language": language, "images": images}
        await tx.execute(insert(Review).values(**shared, **told, score=verdict.score))
        await _emit(tx, SUBMITTED, review_id, shared)
        await file(tx, case, verdict, version=1, cause="submitted")
        return review_id

    return await ctx.db.run(work)


async def edit(
    ctx: Context, actor: Actor, review_id: UUID, body: ReviewPatch, version: int | None, *, trace: Trace = UNKNOWN
) -> None:
    """Change one's own review; what it said before is kept. It is judged anew. What is so already is no new version.

    Raises: ReviewNotFound, also for somebody else's; ReviewChanged (412) when `version` is not the current one;
    ValidationFailed that names a picture; StoreSilent.
    """
    taken = None if body.images is None else await _taken(ctx, body.images)
    # The model reads the text that will stand there; what another request changes meanwhile, it reads later.
    async with ctx.db.read() as tx:
        now = await tx.first_as(Locked, _READ.where(Review.user_id == actor.user_id), {"review_id": review_id})
    read = None if now is None else _text(*_words(now, body))
    toxic = None if read is None else await _toxicity(ctx, read)

    async def work(tx: Tx) -> None:
        before = await lock_own(tx, actor, review_id)
        if version is not None and version != before.version:
            raise ReviewChanged
        rating = before.rating if body.rating is None else body.rating
        title, comment = _words(before, body)
        text = _text(title, comment)
        images = before.images if taken is None else await show(tx, "review", review_id, taken)
        if (rating, title, comment, images) == (before.rating, before.title, before.comment, before.images):
            return
        digest = text_digest(title, comment)
        case = Case(
            review_id=review_id,
            user_id=before.user_id,
            product_id=before.product_id,
            seller_id=before.seller_id,
            rating=rating,
            text=text,
            digest=digest,
            language=before.language,
            verified=before.verified_purchase,
            trace=trace,
            signature=signature(text),
            toxicity=toxic if text == read else None,
        )
        verdict = await judged(tx, ctx, case, refused=await was_refused(tx, review_id))
        await tx.execute(insert(ReviewVersion).values(_version(before)))
        shared = {"rating": rating, "status": STATUS_OF[verdict.decision]}
        changed = {"title": title, "comment": comment, "images": images, "score": verdict.score}
        await _change(tx, before, shared, {**changed, "version": before.version + 1, "edited_at": func.now()}, digest)
        await _emit(tx, EDITED, review_id, {**_ids(before), **shared})
        await file(tx, case, verdict, version=before.version + 1, cause="edited")

    await ctx.db.run(work)


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
        await tx.execute(delete(ReviewVote).where(*own))
    else:
        counts[helpful] += counted
        row = {"review_id": review.review_id, "user_id": actor.user_id, "helpful": helpful}
        vote = upsert(ReviewVote).values(**row, address=trace.address, device=trace.device)
        changed = {"helpful": helpful, "updated_at": func.now()}
        await tx.execute(vote.on_conflict_do_update(index_elements=["review_id", "user_id"], set_=changed))
    return await _count(tx, review, counts[1], counts[0])


async def recount(tx: Tx, review: Locked) -> tuple[int, int]:
    """Count the votes on a review that the caller holds, without those that were set aside; returns how many count:
    helpful, and not."""
    both = [func.count().filter(ReviewVote.helpful, _COUNTED), func.count().filter(~ReviewVote.helpful, _COUNTED)]
    row = await tx.first(select(*both).where(ReviewVote.review_id == review.review_id))
    return await _count(tx, review, 0 if row is None else row[0], 0 if row is None else row[1])


async def _count(tx: Tx, review: Locked, helpful: int, not_helpful: int) -> tuple[int, int]:
    counted = {
        "helpful_count": helpful,
        "not_helpful_count": not_helpful,
        "helpfulness": wilson(helpful, not_helpful),
    }
    await tx.execute(update(Review).where(*_row_of(review)).values(counted))
    return helpful, not_helpful


async def set_status(tx: Tx, review: Locked, status: Status) -> None:
    """Publish a review that the caller holds, or show it no longer. Nothing happens when it is so already."""
    if status == review.status:
        return
    await _change(tx, review, {"status": status}, {}, None)
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
    await _change(tx, review, {"verified_purchase": True, "order_id": order_id}, {}, None)
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


def text_digest(title: str | None, comment: str) -> str:
    """Equal for texts of equal words."""
    return hashlib.sha256(plain(f"{title or ''} {comment}").encode()).hexdigest()[:32]


def _text(title: str | None, comment: str) -> str:
    return comment if title is None else f"{title}\n{comment}"


def _words(before: Locked, body: ReviewPatch) -> tuple[str | None, str]:
    """Title and comment after an edit."""
    title = body.title if "title" in body.model_fields_set else before.title
    return title, before.comment if body.comment is None else body.comment


async def _toxicity(ctx: Context, text: str) -> float | None:
    scores = await toxicity(ctx, [text], ctx.settings.review_toxicity_seconds)
    return None if scores is None else scores[0]


async def _taken(ctx: Context, images: Sequence[str]) -> list[Taken]:
    sent = [Incoming(image, f"/images/{place}") for place, image in enumerate(images)]
    return await take_in(ctx, sent) if sent else []


async def _change(
    tx: Tx,
    review: Locked,
    shared: dict[str, Any],  # Any: values of columns
    own: dict[str, Any],
    digest: str | None,
) -> None:
    """Set columns that both rows have, and those of the row with the text."""
    narrow = {**shared, "updated_at": func.now(), **({} if digest is None else {"text_digest": digest})}
    await tx.execute(update(ReviewByUser).where(ReviewByUser.review_id == review.review_id).values(narrow))
    await tx.execute(update(Review).where(*_row_of(review)).values({**shared, **own}))


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


def _version(review: Locked) -> dict[str, Any]:  # Any: values of columns
    names = ("review_id", "version", "rating", "title", "comment", "images", "status")
    return {name: getattr(review, name) for name in names}


def _ids(review: Locked) -> dict[str, Any]:  # Any: ids
    return {"product_id": review.product_id, "seller_id": review.seller_id}


async def _emit(tx: Tx, event: str, review_id: UUID, review: dict[str, Any]) -> None:  # Any: values of columns
    payload = {
        "productId": review["product_id"],
        "sellerId": review["seller_id"],
        "rating": review["rating"],
        "status": review["status"],
    }
    await outbox.emit(tx, AGGREGATE, review_id, event, payload)


async def _require_patience(tx: Tx, actor: Actor) -> None:
    """Locks what the member writes: two requests at once cannot both be the last that is allowed."""
    await tx.execute(_LOCK, {"name": f"reviews:{actor.user_id}"})
    written: int = await tx.scalar(_WRITTEN, {"user_id": actor.user_id})
    if written >= MOST_AN_HOUR:
        raise TooManyRequests(f"A member writes at most {MOST_AN_HOUR} reviews an hour.", retry_after=600)
