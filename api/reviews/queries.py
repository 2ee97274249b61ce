"""Reads of reviews, for whoever asks. Everybody sees what is published; authors see their own, and administrators all.

The pages of a product's list are read from indexes of its partitions, in the order that is asked for; a cursor goes on
exactly after the last row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Double,
    Integer,
    Select,
    SmallInteger,
    Uuid,
    bindparam,
    cast,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.sql.elements import ColumnElement

from api.catalog.queries.placement import visible_query
from api.identity.queries import ANONYMOUS_AUTHOR, names_query, public_name
from api.kernel.actor import Actor
from api.kernel.db import PLANNED_ONCE, PLANNED_ONCE_WITH_SORTS, Query, ReadTx, Result, all_as, first_as
from api.kernel.pagination import PageParams, by_time, page_of, place_of
from api.kernel.security import Keys
from api.media.naming import LARGEST, address
from api.media.schemas import sizes_of
from api.reviews.errors import ReviewNotFound
from api.reviews.models import STARS, ProductRating, Review, ReviewAnswer, ReviewByUser, ReviewVersion, ReviewVote
from api.reviews.schemas import (
    Answer,
    EarlierVersion,
    EarlierVersions,
    OwnReviewList,
    RatingShare,
    ReviewBody,
    ReviewList,
    ReviewPicture,
    Sort,
    Status,
    Summary,
)
from api.sellers.queries import stores_query


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list shows. `rating` None: all; the others: only such."""

    rating: int | None = None
    verified: bool = False
    with_images: bool = False

    @property
    def any(self) -> bool:
        return self.verified or self.with_images


@dataclass(frozen=True, slots=True)
class _Row:
    """A review as its reader sees it, with what its place in a list is read from."""

    review_id: UUID
    product_id: UUID
    user_id: UUID
    seller_id: UUID
    rating: int
    title: str | None
    comment: str
    language: str | None
    verified_purchase: bool
    helpful_count: int
    not_helpful_count: int
    helpfulness: float
    images: list[str]
    status: Status
    origin: str
    version: int
    created_at: datetime
    edited_at: datetime | None
    answer: str | None
    answered_at: datetime | None
    answer_edited_at: datetime | None
    vote: bool | None


@dataclass(frozen=True, slots=True)
class _Stars:
    stars_1: int
    stars_2: int
    stars_3: int
    stars_4: int
    stars_5: int
    average: float


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
    rating: int
    title: str | None
    comment: str
    images: list[str]
    status: Status
    changed_at: datetime


_VIEWER = bindparam("viewer", type_=Uuid)
_OF_ANSWER = ("answer", "answered_at", "answer_edited_at", "vote")
_COLUMNS = (
    *(getattr(Review, name) for name in _Row.__slots__ if name not in _OF_ANSWER),
    ReviewAnswer.text.label("answer"),
    ReviewAnswer.created_at.label("answered_at"),
    ReviewAnswer.edited_at.label("answer_edited_at"),
    select(ReviewVote.helpful)
    .where(ReviewVote.review_id == Review.review_id, ReviewVote.user_id == _VIEWER)
    .scalar_subquery()
    .label("vote"),
)
_ANSWERED = ReviewAnswer.review_id == Review.review_id
_SHOWN = Review.status == "published"
_PRODUCT = Review.product_id == bindparam("product_id", type_=Uuid)
# The columns of each sort, all of them descending, with the types of their values.
_ORDERS: dict[Sort, tuple[Any, ...]] = {  # Any: columns of several types
    "recent": (Review.created_at, Review.review_id),
    "helpful": (Review.helpfulness, Review.created_at, Review.review_id),
    "rating": (Review.rating, Review.created_at, Review.review_id),
    "verified": (Review.verified_purchase, Review.created_at, Review.review_id),
}
_TYPES: dict[str, Any] = {  # Any: types of columns
    "helpfulness": Double,
    "rating": SmallInteger,
    "verified_purchase": Boolean,
    "created_at": DateTime(timezone=True),
    "review_id": Uuid,
}
_READERS: dict[str, Callable[[str], object]] = {
    "helpfulness": float,
    "rating": int,
    "verified_purchase": lambda text: text == "True",
    "created_at": datetime.fromisoformat,
    "review_id": UUID,
}
_TAKE, _SKIP = bindparam("take", type_=Integer), bindparam("skip", type_=Integer)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [_PRODUCT, _SHOWN]
    if filters.rating is not None:
        found.append(Review.rating == bindparam("stars", type_=SmallInteger))
    if filters.verified:
        found.append(Review.verified_purchase.is_(True))
    if filters.with_images:
        found.append(func.cardinality(Review.images) > 0)
    return found


@cache
def _page(sort: Sort, filters: Filters, *, after: bool) -> Select[Any]:  # Any: the columns of a _Row
    """One statement for each form of a list: `filters.rating` is 1 or None, its value is bound."""
    order = _ORDERS[sort]
    conditions = _conditions(filters)
    if after:
        place = [bindparam(f"after_{column.key}", type_=_TYPES[column.key]) for column in order]
        conditions.append(tuple_(*order) < tuple_(*place))
    return (
        select(*_COLUMNS)
        .outerjoin(ReviewAnswer, _ANSWERED)
        .where(*conditions)
        .order_by(*(column.desc() for column in order))
        .limit(_TAKE)
        .offset(_SKIP)
    )


@cache
def _count(filters: Filters) -> Select[tuple[int]]:
    return select(func.count()).select_from(Review).where(*_conditions(filters))


_BY_ID = (
    select(*_COLUMNS)
    .select_from(ReviewByUser)
    .join(
        Review,
        (Review.product_id == ReviewByUser.product_id)
        & (Review.created_at == ReviewByUser.created_at)
        & (Review.review_id == ReviewByUser.review_id),
    )
    .outerjoin(ReviewAnswer, _ANSWERED)
)
_ONE = _BY_ID.where(
    ReviewByUser.review_id == bindparam("review_id", type_=Uuid),
    or_(_SHOWN, Review.user_id == _VIEWER, bindparam("everything", type_=Boolean)),
)
_NEWEST_OF_MINE = (
    _BY_ID.where(ReviewByUser.user_id == _VIEWER)
    .order_by(ReviewByUser.created_at.desc(), ReviewByUser.review_id.desc())
    .limit(_TAKE)
    .offset(_SKIP)
)
_OLDER_OF_MINE = _NEWEST_OF_MINE.where(
    tuple_(ReviewByUser.created_at, ReviewByUser.review_id)
    < tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
)
_MINE_COUNT = select(func.count()).where(ReviewByUser.user_id == _VIEWER)
_STARS = select(
    *(getattr(ProductRating, f"stars_{stars}") for stars in STARS),
    cast(ProductRating.average_rating, Double).label("average"),
).where(ProductRating.product_id == bindparam("product_id", type_=Uuid))
_VERSIONS = (
    select(
        ReviewVersion.version,
        ReviewVersion.rating,
        ReviewVersion.title,
        ReviewVersion.comment,
        ReviewVersion.images,
        ReviewVersion.status,
        ReviewVersion.created_at.label("changed_at"),
    )
    .join(ReviewByUser, ReviewByUser.review_id == ReviewVersion.review_id)
    .where(
        ReviewVersion.review_id == bindparam("review_id", type_=Uuid),
        or_(ReviewByUser.user_id == _VIEWER, bindparam("everything", type_=Boolean)),
    )
    .order_by(ReviewVersion.version.desc())
)


async def reviews_of(
    tx: ReadTx, actor: Actor, keys: Keys, product_id: UUID, *, sort: Sort, filters: Filters, page: PageParams
) -> ReviewList:
    """A page of a product's published reviews, and what all of them say together. Raises: ProductNotFound;
    ValidationFailed for a cursor of another list."""
    order = [column.key for column in _ORDERS[sort]]
    form = Filters(None if filters.rating is None else 1, filters.verified, filters.with_images)
    listing = f"reviews:{product_id}:{sort}:{filters.rating}:{filters.verified}:{filters.with_images}"
    place = place_of(page, keys, listing, lambda values: [_READERS[n](v) for n, v in zip(order, values, strict=True)])
    asked = {"viewer": actor.user_id, "product_id": product_id, "stars": filters.rating, "take": page.limit + 1}
    if place is None:
        found = all_as(_Row, _page(sort, form, after=False), {**asked, "skip": page.offset})
    else:
        after = {f"after_{name}": value for name, value in zip(order, place, strict=True)}
        found = all_as(_Row, _page(sort, form, after=True), {**asked, **after, "skip": 0})
    # To plan a read of all partitions takes longer than to read a page of them.
    once = PLANNED_ONCE_WITH_SORTS if sort == "verified" else PLANNED_ONCE
    said, seen = first_as(_Stars, _STARS, {"product_id": product_id}), visible_query(actor, product_id)
    if filters.any:
        _, _, rows, stars, total = await tx.batch(seen, once, found, said, Query(_count(form), asked, _number))
        summary = _summary(product_id, stars)
    else:
        _, _, rows, stars = await tx.batch(seen, once, found, said)
        summary = _summary(product_id, stars)
        total = summary.count if filters.rating is None else _with_stars(summary, filters.rating)
    shown, more = rows[: page.limit], len(rows) > page.limit
    return ReviewList(
        reviews=await _bodies(tx, actor, shown),
        summary=summary,
        pagination=page_of(
            page, keys, listing, shown, lambda row: [getattr(row, name) for name in order], more=more, total=total
        ),
    )


async def review_of(tx: ReadTx, actor: Actor, review_id: UUID) -> ReviewBody:
    """One review. Raises: ReviewNotFound, also for one that is not published and not the actor's own."""
    asked = {"viewer": actor.user_id, "review_id": review_id, "everything": actor.kind == "admin"}
    # Whoever has just written it reads it most often.
    own = [] if actor.user_id is None else [actor.user_id]
    row, names = await tx.batch(first_as(_Row, _ONE, asked), names_query(own))
    if row is None:
        raise ReviewNotFound
    return (await _bodies(tx, actor, [row], names))[0]


async def own_reviews(tx: ReadTx, actor: Actor, keys: Keys, page: PageParams) -> OwnReviewList:
    """Everything that the actor has written, the newest first, also what is not published."""
    place = place_of(page, keys, "own-reviews", by_time)
    asked = {"viewer": actor.user_id, "take": page.limit + 1}
    if place is None:
        found = all_as(_Row, _NEWEST_OF_MINE, {**asked, "skip": page.offset})
    else:
        found = all_as(_Row, _OLDER_OF_MINE, {**asked, "skip": 0, "after_at": place[0], "after_id": place[1]})
    rows, total = await tx.batch(found, Query(_MINE_COUNT, {"viewer": actor.user_id}, _number))
    shown, more = rows[: page.limit], len(rows) > page.limit
    return OwnReviewList(
        reviews=await _bodies(tx, actor, shown),
        pagination=page_of(page, keys, "own-reviews", shown, _time_and_id, more=more, total=total),
    )


def _time_and_id(row: _Row) -> tuple[datetime, UUID]:
    return row.created_at, row.review_id


def _number(result: Result) -> int:
    count: int = result.rows[0][0]
    return count


async def summary_of(tx: ReadTx, actor: Actor, product_id: UUID) -> Summary:
    """Average and histogram of the published reviews, at most a second old. Raises: ProductNotFound."""
    said = first_as(_Stars, _STARS, {"product_id": product_id})
    _, stars = await tx.batch(visible_query(actor, product_id), said)
    return _summary(product_id, stars)


def _with_stars(summary: Summary, rating: int) -> int:
    return next(share.count for share in summary.histogram if share.rating == rating)


def _summary(product_id: UUID, stars: _Stars | None) -> Summary:
    counts = {n: 0 if stars is None else int(getattr(stars, f"stars_{n}")) for n in STARS}
    count = sum(counts.values())
    return Summary(
        product_id=product_id,
        average=0.0 if stars is None else stars.average,
        count=count,
        histogram=[
            RatingShare(rating=n, count=counts[n], share=round(counts[n] / count, 4) if count else 0.0)
            for n in reversed(STARS)
        ],
    )


async def versions_of(tx: ReadTx, actor: Actor, review_id: UUID) -> EarlierVersions:
    """What the actor's own review said before, the latest first; administrators see those of all. Raises:
    ReviewNotFound."""
    review = await review_of(tx, actor, review_id)
    if not (review.mine or actor.kind == "admin"):
        raise ReviewNotFound
    asked = {"viewer": actor.user_id, "review_id": review_id, "everything": actor.kind == "admin"}
    versions = [
        EarlierVersion(
            version=row.version,
            rating=row.rating,
            title=row.title,
            comment=row.comment,
            images=[address(name, LARGEST) for name in row.images],
            status=row.status,
            changed_at=row.changed_at,
        )
        for row in await tx.all_as(_Version, _VERSIONS, asked)
    ]
    return EarlierVersions(review_id=review_id, versions=versions)


async def _bodies(
    tx: ReadTx, actor: Actor, rows: Sequence[_Row], known: Mapping[UUID, str] | None = None
) -> list[ReviewBody]:
    """`known`: names of accounts that were read before."""
    names = dict(known or {})
    unnamed = {row.user_id for row in rows} - names.keys()
    answering = {row.seller_id for row in rows if row.answer is not None}
    store_names: dict[UUID, str] = {}
    if unnamed or answering:
        found, stores = await tx.batch(names_query(unnamed), stores_query(answering))
        names |= found
        store_names = {store.seller_id: store.name for store in stores}
    return [_body(actor, row, public_name(names.get(row.user_id, "")), store_names) for row in rows]


def _body(actor: Actor, row: _Row, author: str, stores: dict[UUID, str]) -> ReviewBody:
    vote: Any = None if row.vote is None else "helpful" if row.vote else "not_helpful"  # Any: one of the two
    return ReviewBody(
        review_id=row.review_id,
        product_id=row.product_id,
        rating=row.rating,
        title=row.title,
        comment=row.comment,
        language=row.language,
        author=author,
        verified_purchase=row.verified_purchase,
        helpful_count=row.helpful_count,
        not_helpful_count=row.not_helpful_count,
        images=[address(name, LARGEST) for name in row.images],
        media=[ReviewPicture(**sizes_of(name)) for name in row.images],
        answer=_answer(row, stores),
        status=row.status,
        origin=row.origin,
        version=row.version,
        created_at=row.created_at,
        edited_at=row.edited_at,
        mine=row.user_id == actor.user_id,
        vote=vote,
    )


def _answer(row: _Row, stores: dict[UUID, str]) -> Answer | None:
    if row.answer is None or row.answered_at is None:
        return None
    author = stores.get(row.seller_id, ANONYMOUS_AUTHOR)
    return Answer(author=author, text=row.answer, created_at=row.answered_at, edited_at=row.answer_edited_at)
