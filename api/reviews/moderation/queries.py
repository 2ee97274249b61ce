"""Reads of what waits and of what was decided. Administrators read all, authors what is about their own reviews."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    column,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from api.catalog.approval.queries import labels_of
from api.identity.queries import names_of, public_name, registered_at
from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams
from api.media.naming import LARGEST, address
from api.reviews.errors import ReviewNotFound
from api.reviews.models import Review, ReviewByUser, ReviewReport, ReviewVote
from api.reviews.moderation.models import QueuedReview, ReviewAppeal, ReviewDecision
from api.reviews.moderation.schemas import Cause, FindingBody, ReviewCase, ReviewVerdict, WaitingReview
from api.reviews.schemas import Status

Json = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of `review_decisions`."""

    decision_id: UUID
    review_id: UUID
    version: int
    cause: Cause
    decision: Status
    score: float
    reasons: list[Json]
    statement: str | None
    decided_by: UUID | None
    created_at: datetime

    def body(self) -> ReviewVerdict:
        """As authors and administrators read it."""
        return ReviewVerdict(
            decision_id=self.decision_id,
            review_id=self.review_id,
            version=self.version,
            cause=self.cause,
            decision=self.decision,
            score=self.score,
            reasons=findings_of(self.reasons),
            statement=self.statement,
            by_administrator=self.decided_by is not None,
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    review_id: UUID
    product_id: UUID
    seller_id: UUID
    user_id: UUID
    version: int
    rating: int
    title: str | None
    comment: str
    images: list[str]
    verified_purchase: bool
    status: Status
    created_at: datetime
    cause: Cause
    score: float
    reasons: list[Json]
    queued_at: datetime
    appeal: str | None
    reports: int
    quarantined_votes: int


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a review that was decided about, and of which product it is."""

    review_id: UUID
    user_id: UUID
    product_id: UUID


_OF_QUEUE = ("cause", "score", "reasons", "queued_at")
_COUNTED = ("appeal", "reports", "quarantined_votes")
_PLACE = tuple_(QueuedReview.queued_at, QueuedReview.review_id)
_TEXT = (
    (Review.product_id == ReviewByUser.product_id)
    & (Review.created_at == ReviewByUser.created_at)
    & (Review.review_id == ReviewByUser.review_id)
)
_WAITING = (
    select(
        *(getattr(Review, name) for name in _Waiting.__slots__ if name not in (*_OF_QUEUE, *_COUNTED)),
        *(getattr(QueuedReview, name) for name in _OF_QUEUE),
        ReviewAppeal.comment.label("appeal"),
        select(func.count()).where(ReviewReport.review_id == QueuedReview.review_id).scalar_subquery().label("reports"),
        select(func.count())
        .where(ReviewVote.review_id == QueuedReview.review_id, ReviewVote.standing == "quarantined")
        .scalar_subquery()
        .label("quarantined_votes"),
    )
    .select_from(QueuedReview)
    .join(ReviewByUser, ReviewByUser.review_id == QueuedReview.review_id)
    .join(Review, _TEXT)
    .outerjoin(ReviewAppeal, ReviewAppeal.review_id == QueuedReview.review_id)
    .order_by(QueuedReview.queued_at, QueuedReview.review_id)
    .limit(bindparam("take", type_=Integer))
)
_WAITING_AFTER = _WAITING.where(
    tuple_(bindparam("after_time", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid)) < _PLACE
)
_VERDICT = tuple(getattr(ReviewDecision, name) for name in Verdict.__slots__)
_REVIEW = bindparam("review_id", type_=Uuid)
_JOURNAL = (
    select(*_VERDICT).where(ReviewDecision.review_id == _REVIEW).order_by(ReviewDecision.decision_id.desc()).limit(100)
)
_IDS = any_(bindparam("ids", type_=ARRAY(Uuid)))
_BY_ID = select(*_VERDICT).where(ReviewDecision.decision_id == _IDS)
_AUTHORS = select(ReviewByUser.review_id, ReviewByUser.user_id, ReviewByUser.product_id).where(
    ReviewByUser.review_id == _IDS
)
_LAST = (
    select(*_VERDICT)
    .where(ReviewDecision.review_id == _REVIEW, ReviewDecision.decided_by.is_not(None))
    .order_by(ReviewDecision.decision_id.desc())
    .limit(1)
)


def _unanswered() -> Select[tuple[UUID, str]]:
    lists = func.unnest(bindparam("reviews", type_=ARRAY(Uuid)), bindparam("rules", type_=ARRAY(Text)))
    asked = lists.table_valued(column("review_id", Uuid), column("rule", Text)).render_derived("asked")
    made, known = aliased(ReviewDecision), aliased(ReviewDecision)
    has_rule = func.jsonb_build_array(func.jsonb_build_object(literal("rule", Text), asked.c.rule), type_=JSONB)
    answered = (
        exists()
        .where(made.review_id == asked.c.review_id, made.decided_by.is_not(None), made.decision == "published")
        .where(known.review_id == made.review_id, known.decision_id <= made.decision_id)
        .where(known.reasons.contains(has_rule))
    )
    return (
        select(asked.c.review_id, asked.c.rule)
        .join(ReviewByUser, ReviewByUser.review_id == asked.c.review_id)
        .where(ReviewByUser.status == "published", ~answered)
    )


_UNANSWERED = _unanswered()


async def waiting(
    tx: ReadTx, actor: Actor, page: PageParams, after: tuple[datetime, UUID] | None
) -> tuple[list[WaitingReview], bool]:
    """What waits, the oldest first, and whether more does. Raises: Forbidden."""
    require_administrator(actor)
    place = {} if after is None else {"after_time": after[0], "after_id": after[1]}
    statement = _WAITING if after is None else _WAITING_AFTER
    rows = await tx.all_as(_Waiting, statement, {"take": page.limit + 1, **place})
    shown = rows[: page.limit]
    labels = await labels_of(tx, {row.product_id for row in shown})
    authors = {row.user_id for row in shown}
    names, opened = await names_of(tx, authors), await registered_at(tx, authors)
    bodies = [
        _body(row, labels[row.product_id].title, public_name(names.get(row.user_id, "")), opened.get(row.user_id))
        for row in shown
    ]
    return bodies, len(rows) > page.limit


async def case_of(tx: ReadTx, actor: Actor, review_id: UUID) -> ReviewCase:
    """All that was decided about a review: for its author, and for administrators. Raises: ReviewNotFound."""
    mine = [] if actor.kind == "admin" else [ReviewByUser.user_id == actor.user_id]
    status: Status | None = await tx.scalar(
        select(ReviewByUser.status).where(ReviewByUser.review_id == review_id, *mine)
    )
    if status is None:
        raise ReviewNotFound
    appeal: str | None = await tx.scalar(select(ReviewAppeal.comment).where(ReviewAppeal.review_id == review_id))
    made = await tx.all_as(Verdict, _JOURNAL, {"review_id": review_id})
    return ReviewCase(
        review_id=review_id,
        status=status,
        decisions=[one.body() for one in made],
        appeal=appeal,
        appealable=status == "rejected" and appeal is None,
    )


async def ruling_of(tx: ReadTx, review_id: UUID) -> Verdict | None:
    """The last decision of an administrator about a review."""
    return await tx.first_as(Verdict, _LAST, {"review_id": review_id})


async def verdicts_of(tx: ReadTx, decision_ids: Iterable[UUID]) -> list[Verdict]:
    """Decisions by id, for the mail that tells authors of them."""
    return await tx.all_as(Verdict, _BY_ID, {"ids": list(decision_ids)})


async def unanswered(tx: ReadTx, found: Iterable[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Of what was found, by review and rule: what is about a published one, and was not known to an administrator who
    has published it."""
    pairs = sorted(set(found))
    asked = {"reviews": [review for review, _ in pairs], "rules": [rule for _, rule in pairs]}
    return {(row[0], row[1]) for row in await tx.all(_UNANSWERED, asked)} if pairs else set()


async def authors_of(tx: ReadTx, review_ids: Iterable[UUID]) -> dict[UUID, Author]:
    """Who wrote reviews, by their ids."""
    return {row.review_id: row for row in await tx.all_as(Author, _AUTHORS, {"ids": list(review_ids)})}


def findings_of(reasons: Sequence[Json]) -> list[FindingBody]:
    return [FindingBody(rule=one["rule"], weight=one["weight"], words=one["words"]) for one in reasons]


def _body(row: _Waiting, product: str, author: str, opened: datetime | None) -> WaitingReview:
    return WaitingReview(
        review_id=row.review_id,
        product_id=row.product_id,
        seller_id=row.seller_id,
        product=product,
        author=author,
        version=row.version,
        rating=row.rating,
        title=row.title,
        comment=row.comment,
        images=[address(name, LARGEST) for name in row.images],
        verified_purchase=row.verified_purchase,
        account_opened_at=opened,
        status=row.status,
        cause=row.cause,
        score=row.score,
        reasons=findings_of(row.reasons),
        appeal=row.appeal,
        reports=row.reports,
        quarantined_votes=row.quarantined_votes,
        created_at=row.created_at,
        queued_at=row.queued_at,
    )
