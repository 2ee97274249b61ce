"""What the shop knows of a review beyond its text: its author's other reviews, those of the same place, those of its
product, and texts that are like it. All of it is read in one round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, SmallInteger, String, Uuid, and_, bindparam, case, func, or_, select

from api.identity.queries import registered_query
from api.kernel import clock
from api.kernel.db import Query, all_as, first_as
from api.reviews.judging.likeness import ALIKE, bands, likeness
from api.reviews.judging.rules import Facts
from api.reviews.judging.traces import Trace
from api.reviews.judging.wording import words
from api.reviews.models import ReviewByUser
from api.reviews.moderation.models import ReviewSignal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How far others from the same place, a product's usual days and an author's rejected reviews are looked at.
PLACES, USUAL, REJECTED = timedelta(days=30), timedelta(days=30), timedelta(days=90)
# So many of the texts that share a band are compared, the newest first.
MOST_COMPARED = 50
# People say "very good" again and again; from so many words on it is a text that they sent again.
SAID = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A review as it is to be judged. `digest`: equal for texts of equal words; `signature`: alike for like ones."""

    review_id: UUID
    user_id: UUID
    product_id: UUID
    seller_id: UUID
    rating: int
    text: str
    digest: str
    language: str | None
    verified: bool
    trace: Trace
    signature: Sequence[int] | None
    toxicity: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """Counts as in `Facts` of `rules.py`."""

    last_hour: int
    last_day: int
    others_about_product: int
    others_about_seller: int
    burst: int
    before: int
    one_sided: int
    rejected_before: int
    own_equal: int


@dataclass(frozen=True, slots=True)
class Like:
    """A review that shares a band with another one's text."""

    user_id: UUID
    product_id: UUID
    signature: list[int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What `evidence_queries` found. `registered`: when its author's account was opened."""

    known: Known | None
    like: list[Like]
    registered: Mapping[UUID, datetime]


_ME = ReviewSignal.user_id == bindparam("user_id", type_=Uuid)
_OTHER_REVIEW = ReviewSignal.review_id != bindparam("review_id", type_=Uuid)
_OTHERS = and_(
    ReviewSignal.user_id != bindparam("user_id", type_=Uuid),
    or_(
        ReviewSignal.address == bindparam("address", type_=String),
        ReviewSignal.device == bindparam("device", type_=String),
    ),
    ReviewSignal.created_at > func.now() - PLACES,
)
_RATING = bindparam("rating", type_=SmallInteger)


def _count(*conditions: Any, distinct: Any = None) -> Any:  # Any: columns and conditions of several types
    counted = func.count() if distinct is None else func.count(func.distinct(distinct))
    return select(counted).where(*conditions).scalar_subquery()


_OF_PRODUCT = and_(ReviewSignal.product_id == bindparam("product_id", type_=Uuid), _OTHER_REVIEW)
_MINE = and_(
    ReviewByUser.user_id == bindparam("user_id", type_=Uuid),
    ReviewByUser.review_id != bindparam("review_id", type_=Uuid),
)
# 0 unless all of them are of the seller and have the extreme stars of this one.
_ONE_SIDED = (
    select(
        case(
            (
                func.bool_and(
                    and_(
                        ReviewByUser.seller_id == bindparam("seller_id", type_=Uuid),
                        ReviewByUser.rating == _RATING,
                        _RATING.in_([1, 5]),
                    )
                ),
                func.count() + 1,
            ),
            else_=0,
        )
    )
    .where(_MINE)
    .scalar_subquery()
)
KNOWN = select(
    _count(_ME, _OTHER_REVIEW, ReviewSignal.created_at > func.now() - HOUR).label("last_hour"),
    _count(_ME, _OTHER_REVIEW, ReviewSignal.created_at > func.now() - DAY).label("last_day"),
    _count(
        _OTHERS, ReviewSignal.product_id == bindparam("product_id", type_=Uuid), distinct=ReviewSignal.user_id
    ).label("others_about_product"),
    _count(_OTHERS, ReviewSignal.seller_id == bindparam("seller_id", type_=Uuid), distinct=ReviewSignal.user_id).label(
        "others_about_seller"
    ),
    _count(_OF_PRODUCT, ReviewSignal.created_at > func.now() - DAY).label("burst"),
    _count(
        _OF_PRODUCT, ReviewSignal.created_at <= func.now() - DAY, ReviewSignal.created_at > func.now() - DAY - USUAL
    ).label("before"),
    _ONE_SIDED.label("one_sided"),
    _count(_MINE, ReviewByUser.status == "rejected", ReviewByUser.updated_at > func.now() - REJECTED).label(
        "rejected_before"
    ),
    _count(_MINE, ReviewByUser.text_digest == bindparam("digest", type_=String)).label("own_equal"),
)
LIKE = (
    select(ReviewSignal.user_id, ReviewSignal.product_id, ReviewSignal.signature)
    .where(ReviewSignal.bands.op("&&")(bindparam("bands", type_=ARRAY(BigInteger))), _OTHER_REVIEW)
    .order_by(ReviewSignal.created_at.desc())
    .limit(MOST_COMPARED)
)


def evidence_queries(one: Case) -> tuple[Query[Known | None], Query[list[Like]], Query[dict[UUID, datetime]]]:
    """For the batch of whoever writes the review: the parts of an `Evidence`."""
    asked = {
        "review_id": one.review_id,
        "user_id": one.user_id,
        "product_id": one.product_id,
        "seller_id": one.seller_id,
        "rating": one.rating,
        "digest": one.digest,
        "address": one.trace.address,
        "device": one.trace.device,
    }
    own = [] if one.signature is None else bands(one.signature)
    like = all_as(Like, LIKE, {"review_id": one.review_id, "bands": own})
    return first_as(Known, KNOWN, asked), like, registered_query([one.user_id])


def facts_of(one: Case, found: Evidence, mood: float | None, languages: tuple[str, ...]) -> Facts:
    """All that the rules know of it."""
    known, like, since = found.known, found.like, found.registered.get(one.user_id)
    assert known is not None
    alike = [each for each in like if one.signature and likeness(one.signature, each.signature) >= ALIKE]
    own_alike = sum(each.user_id == one.user_id and each.product_id != one.product_id for each in alike)
    return Facts(
        rating=one.rating,
        text=one.text,
        language=one.language or languages[0],
        shop_languages=languages,
        verified=one.verified,
        account_age=clock.now() - since if since else timedelta(0),
        toxicity=one.toxicity,
        mood=mood,
        copies=len({each.user_id for each in alike} - {one.user_id}),
        own_copies=max(own_alike, known.own_equal if len(words(one.text)) >= SAID else 0),
        last_hour=known.last_hour,
        last_day=known.last_day,
        others_about_product=known.others_about_product,
        others_about_seller=known.others_about_seller,
        burst=known.burst + 1,
        usual=known.before / USUAL.days,
        one_sided=known.one_sided,
        rejected_before=known.rejected_before,
    )
