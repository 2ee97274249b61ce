"""Write a review, and edit one's own. Whoever writes is signed in.

A new review is judged and written in two round trips and a commit: one that reads all that decides about it, behind a
lock of its author's, and one statement that writes both of its rows, what was found and decided, and the events.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, Uuid, bindparam, func, insert, select

from api.catalog.queries.products import require_visible
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx, done, first_as
from api.kernel.errors import TooManyRequests
from api.kernel.ids import new_id
from api.kernel.outbox import events_part
from api.kernel.statement import OPEN_GATE, compose
from api.kernel.texts import plain
from api.media.commands import Incoming, Taken, show, take_in
from api.orders.queries.bought import received_query
from api.reviews.commands import READ, Locked, changed, event_of, lock_own
from api.reviews.errors import AlreadyReviewed, OwnProductReview, ReviewChanged
from api.reviews.events import EDITED, SUBMITTED
from api.reviews.judging.evidence import Case, Evidence, evidence_queries
from api.reviews.judging.filing import (
    BUYERS_ONLY,
    STATUS_OF,
    BuyersOnlyReview,
    filed,
    judged,
    refused_query,
)
from api.reviews.judging.likeness import signature
from api.reviews.judging.toxicity import toxicity
from api.reviews.judging.traces import UNKNOWN, Trace
from api.reviews.models import Review, ReviewByUser, ReviewVersion
from api.reviews.schemas import ReviewIn, ReviewPatch
from api.reviews.writing.statements import write_part

# What one member may write in an hour.
MOST_AN_HOUR = 30
HOUR = timedelta(hours=1)
# Of a member: two requests at once cannot both be the last that is allowed, nor both the first of a product.
_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))
_BY_AUTHOR = ReviewByUser.user_id == bindparam("user_id", type_=Uuid)


@dataclass(frozen=True, slots=True)
class _Before:
    """What the author has written: how many reviews in the last hour, and which of this product."""

    written: int
    review_id: UUID | None
    buyers_only: bool


_LATELY = select(func.count()).where(_BY_AUTHOR, ReviewByUser.created_at > func.now() - HOUR)
_BEFORE = select(
    _LATELY.scalar_subquery().label("written"),
    select(ReviewByUser.review_id)
    .where(_BY_AUTHOR, ReviewByUser.product_id == bindparam("product_id", type_=Uuid))
    .scalar_subquery()
    .label("review_id"),
    BUYERS_ONLY.label("buyers_only"),
)


async def submit(ctx: Context, actor: Actor, product_id: UUID, body: ReviewIn, trace: Trace = UNKNOWN) -> UUID:
    """The new review's id.

    Raises: ProductNotFound; OwnProductReview; BuyersOnlyReview; AlreadyReviewed; TooManyRequests; ValidationFailed that
    names a picture; StoreSilent.
    """
    assert actor.user_id is not None
    async with ctx.db.read() as tx:
        seller_id = await require_visible(tx, actor, product_id)
    _require_other(actor, seller_id)
    taken = await _taken(ctx, body.images)
    text = _text(body.title, body.comment)
    asked = Case(
        review_id=new_id(),
        user_id=actor.user_id,
        product_id=product_id,
        seller_id=seller_id,
        rating=body.rating,
        text=text,
        digest=text_digest(body.title, body.comment),
        language=body.language or ctx.settings.languages.own,
        verified=False,
        trace=trace,
        signature=signature(text),
        toxicity=await _toxicity(ctx, text),
    )

    async def work(tx: Tx) -> UUID:
        mine = {"user_id": actor.user_id, "product_id": product_id, "seller_id": seller_id}
        _, before, order_id, known, like, registered = await tx.batch(
            done(_LOCK, {"name": f"reviews:{actor.user_id}"}),
            first_as(_Before, _BEFORE, mine),
            received_query(actor, product_id),
            *evidence_queries(asked),
        )
        assert before is not None
        _require_allowed(before, received=order_id is not None)
        case = replace(asked, verified=order_id is not None)
        verdict = judged(ctx, case, Evidence(known, like, registered))
        review = {
            **mine,
            "review_id": case.review_id,
            "order_id": order_id,
            "rating": body.rating,
            "status": STATUS_OF[verdict.decision],
            "text_digest": case.digest,
            "title": body.title,
            "comment": body.comment,
            "language": case.language,
            "images": await show(tx, "review", case.review_id, taken) if taken else [],
            "score": verdict.score,
        }
        parts, told = filed(case, verdict, version=1, cause="submitted")
        events = events_part([event_of(SUBMITTED, case.review_id, review), told])
        await tx.execute(*compose([OPEN_GATE, write_part(review), *parts, events], "1"))
        return case.review_id

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
        now = await tx.first_as(Locked, READ.where(Review.user_id == actor.user_id), {"review_id": review_id})
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
        case = Case(
            review_id=review_id,
            user_id=before.user_id,
            product_id=before.product_id,
            seller_id=before.seller_id,
            rating=rating,
            text=text,
            digest=text_digest(title, comment),
            language=before.language,
            verified=before.verified_purchase,
            trace=trace,
            signature=signature(text),
            toxicity=toxic if text == read else None,
        )
        refused, known, like, registered = await tx.batch(refused_query(review_id), *evidence_queries(case))
        verdict = judged(ctx, case, Evidence(known, like, registered), refused=refused)
        shared = {"rating": rating, "status": STATUS_OF[verdict.decision]}
        own: dict[str, object] = {"title": title, "comment": comment, "images": images, "score": verdict.score}
        own |= {"version": before.version + 1, "edited_at": func.now()}
        parts, told = filed(case, verdict, version=before.version + 1, cause="edited")
        about = {"product_id": before.product_id, "seller_id": before.seller_id, **shared}
        events = events_part([event_of(EDITED, review_id, about), told])
        await tx.batch(
            done(insert(ReviewVersion).values(_version(before))),
            *changed(before, shared, own, case.digest),
            done(*compose([OPEN_GATE, *parts, events], "1")),
        )

    await ctx.db.run(work)


def text_digest(title: str | None, comment: str) -> str:
    """Equal for texts of equal words."""
    return hashlib.sha256(plain(f"{title or ''} {comment}").encode()).hexdigest()[:32]


def _require_other(actor: Actor, seller_id: UUID) -> None:
    if seller_id == actor.user_id:
        raise OwnProductReview("Buyers review it; you may answer what they write.")


def _require_allowed(before: _Before, *, received: bool) -> None:
    if before.written >= MOST_AN_HOUR:
        raise TooManyRequests(f"A member writes at most {MOST_AN_HOUR} reviews an hour.", retry_after=600)
    if before.review_id is not None:
        raise AlreadyReviewed(before.review_id)
    if before.buyers_only and not received:
        raise BuyersOnlyReview("Its seller takes reviews of those who received it here.")


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


def _version(review: Locked) -> dict[str, Any]:  # Any: values of columns
    names = ("review_id", "version", "rating", "title", "comment", "images", "status")
    return {name: getattr(review, name) for name in names}
