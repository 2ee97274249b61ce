"""Which offer of an article is featured, and why: one table of points, over what a buyer sees of each offer.

A candidate can be had where it is asked for, and is new while any new one can be. Candidates get points, and the one
with the most is featured; the same offers are always ranked the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from api.catalog.schemas import Condition

Criterion = Literal["total", "delivery", "condition", "seller", "stock"]
Availability = Literal["in_stock", "backordered", "out_of_stock", "not_sold_there"]

# The most points for each; together 100.
MOST: dict[Criterion, int] = {"total": 50, "delivery": 20, "condition": 15, "seller": 10, "stock": 5}
# Of `delivery`, for each day later than the earliest.
A_DAY = 2
OF_CONDITION: dict[Condition, int] = {
    "new": 15,
    "refurbished": 12,
    "used_like_new": 9,
    "used_good": 6,
    "used_acceptable": 3,
}
BEST_RATING = 5
# A seller whom nobody has rated yet counts as one with this rating.
UNRATED = Decimal(3)
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What is compared. `total`: of one unit, sent there, with tax. `arrives`: the last day promised, None where it
    cannot be had. `rating`: the seller's, 0 for none."""

    product_id: UUID
    total: Decimal
    arrives: date | None
    condition: Condition
    rating: Decimal
    availability: Availability


@dataclass(frozen=True, slots=True)
class Points:
    """`points` of at most `most`, and the fact that gives them."""

    criterion: Criterion
    points: Decimal
    most: int
    words: str


class Rank(NamedTuple):
    """The least comes first. It orders all offers, because the last part is an offer's own."""

    group: int  # 0 candidates, 1 others that can be had, 2 the rest
    behind: Decimal  # the points, negative
    total: Decimal
    arrives: date
    unrated: Decimal  # the rating, negative
    product_id: UUID


@dataclass(frozen=True, slots=True)
class Ranked:
    """`points`: one for each criterion, none for what is no candidate. `why`: a sentence that says why it is featured,
    or is not."""

    facts: OfferFacts
    rank: Rank
    points: tuple[Points, ...]
    featured: bool
    why: str

    @property
    def score(self) -> Decimal | None:
        return -self.rank.behind if self.points else None


def ranked(offers: Sequence[OfferFacts]) -> list[Ranked]:
    """The offers of an article, the best first."""
    candidates = _candidates(offers)
    least = min((one.total for one in candidates), default=Decimal(0))
    earliest = min((_day(one) for one in candidates), default=date.max)
    points = {one.product_id: points_of(one, least, earliest) for one in candidates}
    ranks = {one.product_id: _rank(one, points.get(one.product_id, ())) for one in offers}
    in_order = sorted(offers, key=lambda one: ranks[one.product_id])
    best = in_order[0] if candidates else None
    return [
        Ranked(
            facts=one,
            rank=ranks[one.product_id],
            points=points.get(one.product_id, ()),
            featured=one is best,
            why=_why(one, best, points),
        )
        for one in in_order
    ]


def points_of(offer: OfferFacts, least: Decimal, earliest: date) -> tuple[Points, ...]:
    """The points of a candidate, in the order of MOST. `least` and `earliest`: among the candidates."""
    late = (_day(offer) - earliest).days
    dearer = offer.total - least
    rating = offer.rating or UNRATED
    given: dict[Criterion, tuple[Decimal, str]] = {
        "total": (
            MOST["total"] * least / offer.total,
            f"{offer.total} in all, {f'{dearer} more than the least' if dearer else 'the least'}",
        ),
        "delivery": (
            Decimal(max(0, MOST["delivery"] - A_DAY * late)),
            f"there by {_day(offer)}, {f'{_days(late)} after the earliest' if late else 'the earliest'}",
        ),
        "condition": (Decimal(OF_CONDITION[offer.condition]), offer.condition.replace("_", " ")),
        "seller": (
            MOST["seller"] * rating / BEST_RATING,
            f"rated {offer.rating} of {BEST_RATING}" if offer.rating else f"not rated yet, counted as {UNRATED}",
        ),
        "stock": (
            Decimal(MOST["stock"] if offer.availability == "in_stock" else 0),
            "in stock" if offer.availability == "in_stock" else "comes later",
        ),
    }
    return tuple(
        Points(name, value.quantize(_TENTH, rounding=ROUND_HALF_UP), MOST[name], words)
        for name, (value, words) in given.items()
    )


def _candidates(offers: Sequence[OfferFacts]) -> list[OfferFacts]:
    had = [one for one in offers if one.arrives is not None]
    return [one for one in had if one.condition == "new"] or had


def _rank(offer: OfferFacts, points: tuple[Points, ...]) -> Rank:
    group = 0 if points else 1 if offer.arrives is not None else 2
    score = sum((one.points for one in points), Decimal(0))
    return Rank(group, -score, offer.total, _day(offer), -offer.rating, offer.product_id)


def _why(offer: OfferFacts, best: OfferFacts | None, points: dict[UUID, tuple[Points, ...]]) -> str:
    own = points.get(offer.product_id)
    if best is None or own is None:
        return _obstacle(offer)
    score = sum(one.points for one in own)
    if offer is best:
        others = f"the most of {len(points)} offers" if len(points) > 1 else "the only offer that counts"
        return f"{score} points, {others}: {', '.join(one.words for one in own)}."
    of_best = points[best.product_id]
    ahead = sum(one.points for one in of_best)
    if ahead == score:
        return f"{score} points, as many as the featured offer, which {_first_of(offer, best)}."
    lost = max(zip(of_best, own, strict=True), key=lambda pair: pair[0].points - pair[1].points)
    return (
        f"{score} points against {ahead} of the featured offer. Most are lost by {lost[1].criterion}:"
        f" {lost[1].points} against {lost[0].points} ({lost[1].words})."
    )


def _first_of(offer: OfferFacts, best: OfferFacts) -> str:
    """What decides between as many points."""
    if best.total != offer.total:
        return "costs less"
    if _day(best) != _day(offer):
        return "arrives earlier"
    return "has the better rated seller" if best.rating != offer.rating else "was offered first"


def _obstacle(offer: OfferFacts) -> str:
    """Why it is no candidate."""
    if offer.availability == "not_sold_there":
        return "It is not sold to where it would go."
    return "It is out of stock." if offer.arrives is None else "It is not new, and a new one can be had."


def _day(offer: OfferFacts) -> date:
    return offer.arrives or date.max


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"
