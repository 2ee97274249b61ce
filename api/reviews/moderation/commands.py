"""Decide about reviews, look at one again, and appeal.

A decision is about the version that was seen: whoever comes second, author or administrator, is told. Nothing here
deletes a review: a rejected one stays for its author and for administrators.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.approval.queries import labels_of
from api.catalog.errors import ProductNotFound
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.reviews.commands import Locked, lock, lock_own, set_status
from api.reviews.errors import NotYourProduct, ReviewChanged, ReviewNotFound
from api.reviews.judging.filing import Decided, record, wait_for_administrator
from api.reviews.judging.rules import Finding
from api.reviews.moderation.errors import AlreadyAppealed, NotAppealable, ReviewDecided
from api.reviews.moderation.models import BuyersOnly, QueuedReview, ReviewAppeal
from api.reviews.moderation.queries import case_of, ruling_of, unanswered
from api.reviews.moderation.schemas import AppealIn, Cause, ReopenIn, ReviewCase, ReviewDecisionIn
from api.reviews.schemas import Status

_OUTCOME: dict[str, Status] = {"publish": "published", "reject": "rejected"}


async def decide(ctx: Context, actor: Actor, review_id: UUID, body: ReviewDecisionIn) -> ReviewCase:
    """Publish or reject a review, as an administrator saw it. The same decision again is the same one.

    Raises: Forbidden; ReviewNotFound; ReviewChanged (412), when its author has edited it since; ReviewDecided (409), by
    another administrator or otherwise: reopen it first.
    """
    outcome = _OUTCOME[body.decision]

    async def work(tx: Tx) -> ReviewCase:
        review = await _locked(tx, actor, review_id)
        waits = await tx.first(select(QueuedReview.cause).where(QueuedReview.review_id == review_id))
        made = await ruling_of(tx, review_id)
        if waits is None and made is not None and made.version == body.version:
            if (made.decided_by, made.decision, made.statement) != (actor.user_id, outcome, body.statement):
                raise ReviewDecided("Read what was decided, or reopen it.", extra={"decision": made.decision})
            return await case_of(tx, actor, review_id)
        _require_seen(review, body)
        cause: Cause = "appeal" if waits is not None and waits[0] == "appeal" else "administrator"
        await _ruled(tx, actor, review, outcome, cause=cause, statement=body.statement)
        return await case_of(tx, actor, review_id)

    return await ctx.db.run(work)


async def reopen(ctx: Context, actor: Actor, review_id: UUID, body: ReopenIn) -> ReviewCase:
    """Put a review in the queue again; nobody sees it until it is decided. One that waits stays as it is.

    Raises: Forbidden; ReviewNotFound.
    """

    async def work(tx: Tx) -> ReviewCase:
        review = await _locked(tx, actor, review_id)
        if review.status != "queued":
            await _ruled(tx, actor, review, "queued", cause="reopened", statement=body.statement)
        return await case_of(tx, actor, review_id)

    return await ctx.db.run(work)


async def appeal(ctx: Context, actor: Actor, review_id: UUID, body: AppealIn) -> ReviewCase:
    """Say, once, why one's own rejected review should be published; the same words again are that once.

    Raises: ReviewNotFound, also for somebody else's; NotAppealable, AlreadyAppealed (409).
    """

    async def work(tx: Tx) -> ReviewCase:
        review = await lock_own(tx, actor, review_id)
        before = await case_of(tx, actor, review_id)
        if before.appeal is not None:
            if before.appeal != body.comment:
                raise AlreadyAppealed("One appeal is read for each review.")
            return before
        if review.status != "rejected" or not before.decisions:
            raise NotAppealable("Only a rejected review is appealed for.")
        newest = before.decisions[0]
        row = {"review_id": review_id, "decision_id": newest.decision_id, "comment": body.comment}
        await tx.execute(insert(ReviewAppeal).values(row))
        reasons = [Finding(one.rule, one.weight, one.words) for one in newest.reasons]
        await wait_for_administrator(tx, review_id, "appeal", newest.score, reasons)
        return await case_of(tx, actor, review_id)

    return await ctx.db.run(work)


async def suspect_text(ctx: Context, review_id: UUID, version: int, reason: Finding, score: float) -> bool:
    """Let a published review wait for an administrator, because of what this version of it says. Not what one has
    published as it is: who read the text has decided about it. Returns whether it waits now."""

    async def work(tx: Tx) -> bool:
        review = await lock(tx, review_id)
        if review is None or (review.status, review.version) != ("published", version):
            return False
        made = await ruling_of(tx, review_id)
        if made is not None and (made.decision, made.version) == ("published", version):
            return False
        return await _let_wait(tx, review, "language", [reason], score)

    return await ctx.db.run(work)


async def suspect(ctx: Context, review_id: UUID, found: Sequence[Finding]) -> bool:
    """The same because of what shows when reviews are seen together, which is not in the text. What an administrator
    who published it knew does not make it wait again; what is found of another kind does, with that as the reason."""

    async def work(tx: Tx) -> bool:
        review = await lock(tx, review_id)
        if review is None:
            return False
        new = await unanswered(tx, [(review_id, one.rule) for one in found])
        reasons = sorted((one for one in found if (review_id, one.rule) in new), key=lambda one: -one.weight)
        return bool(reasons) and await _let_wait(tx, review, "suspected", reasons, reasons[0].weight)

    return await ctx.db.run(work)


async def _let_wait(tx: Tx, review: Locked, cause: Cause, reasons: Sequence[Finding], score: float) -> bool:
    decided = Decided(review.review_id, review.version, cause, "queued", score, reasons)
    await set_status(tx, review, "queued")
    await record(tx, decided, _about(review))
    return True


async def set_buyers_only(ctx: Context, actor: Actor, subject_id: UUID, *, wanted: bool) -> None:
    """Take reviews of a product, or of all of the seller's own (their own id), from those only who received it.

    Raises: ProductNotFound; NotYourProduct.
    """

    async def work(tx: Tx) -> None:
        if subject_id != actor.user_id:
            label = (await labels_of(tx, [subject_id])).get(subject_id)
            if label is None:
                raise ProductNotFound("There is no product with this id.")
            if label.seller_id != actor.user_id:
                raise NotYourProduct("Its seller decides this.")
        if wanted:
            row = upsert(BuyersOnly).values(subject_id=subject_id, seller_id=actor.user_id)
            await tx.execute(row.on_conflict_do_nothing())
        else:
            await tx.execute(delete(BuyersOnly).where(BuyersOnly.subject_id == subject_id))

    await ctx.db.run(work)


async def _locked(tx: Tx, actor: Actor, review_id: UUID) -> Locked:
    require_administrator(actor)
    review = await lock(tx, review_id)
    if review is None:
        raise ReviewNotFound
    return review


def _require_seen(review: Locked, body: ReviewDecisionIn) -> None:
    if review.version != body.version:
        raise ReviewChanged


async def _ruled(tx: Tx, actor: Actor, review: Locked, outcome: Status, **said: Any) -> None:  # Any: as of a decision
    """What an administrator decides, with what the rules said before."""
    newest = (await case_of(tx, actor, review.review_id)).decisions
    score = newest[0].score if newest else 0.0
    reasons = [Finding(one.rule, one.weight, one.words) for one in newest[0].reasons] if newest else []
    decided = Decided(
        review_id=review.review_id,
        version=review.version,
        decision=outcome,
        score=score,
        reasons=reasons,
        decided_by=actor.user_id,
        **said,
    )
    await set_status(tx, review, outcome)
    await record(tx, decided, _about(review))


def _about(review: Locked) -> dict[str, Any]:  # Any: ids and numbers of an event
    return {"productId": review.product_id, "sellerId": review.seller_id, "rating": review.rating}
