"""Which offer is featured: the table of points, its words, and the same answer as a second, plain computation."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest

from api.catalog.offers import featured
from api.catalog.offers.featured import A_DAY, MOST, OF_CONDITION, UNRATED, OfferFacts, ranked
from api.catalog.schemas import Condition

DAY = date(2026, 12, 1)
CONDITIONS: tuple[Condition, ...] = get_args(Condition)


def offer(number: int, **facts: Any) -> OfferFacts:
    """An ordinary one, but for these facts."""
    ordinary = OfferFacts(
        product_id=UUID(int=number),
        total=Decimal("50.00"),
        arrives=DAY,
        condition="new",
        rating=Decimal("4.00"),
        availability="in_stock",
    )
    return replace(ordinary, **facts)


NOT_HAD: dict[str, Any] = {"arrives": None, "availability": "out_of_stock"}
# What of two offers is featured, though the other one is as good in everything else.
BETTER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "total": ({"total": Decimal("49.00")}, {"total": Decimal("50.00")}),
    "delivery": ({"arrives": DAY}, {"arrives": DAY + timedelta(days=1)}),
    "condition": ({"condition": "refurbished"}, {"condition": "used_like_new"}),
    "seller": ({"rating": Decimal("4.10")}, {"rating": Decimal("4.00")}),
    "stock": ({"availability": "in_stock"}, {"availability": "backordered"}),
}


def first(*offers: OfferFacts) -> UUID | None:
    return next((one.facts.product_id for one in ranked(offers) if one.featured), None)


def test_the_documented_table_is_the_one_that_counts() -> None:
    lines = Path("docs/offers.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| `")]
    documented = {row[0].strip(" `"): int(row[1]) for row in rows if row[1].strip().isdigit()}

    assert documented == MOST
    assert sum(MOST.values()) == 100
    assert list(BETTER) == list(MOST)


@pytest.mark.parametrize("criterion", BETTER)
def test_each_criterion_decides_alone(criterion: str) -> None:
    better, worse = BETTER[criterion]
    one, other = offer(2, **better), offer(1, **worse)

    assert first(one, other) == one.product_id
    of_one, of_other = ranked([other, one])
    lost = {a.criterion for a, b in zip(of_one.points, of_other.points, strict=True) if a.points != b.points}
    assert lost == {criterion}
    assert of_one.score is not None
    assert of_other.score is not None
    assert of_one.score > of_other.score


def test_a_used_offer_is_featured_only_without_a_new_one_that_can_be_had() -> None:
    costly = offer(1, total=Decimal("900.00"), arrives=DAY + timedelta(days=30), rating=Decimal("1.00"))
    used = offer(2, condition="used_like_new", total=Decimal("1.00"))

    assert first(costly, used) == costly.product_id
    assert ranked([costly, used])[1].why == "It is not new, and a new one can be had."
    assert ranked([costly, used])[1].score is None
    assert first(replace(costly, **NOT_HAD), used) == used.product_id
    assert first(used) == used.product_id


def test_what_cannot_be_had_is_never_featured_and_says_why() -> None:
    gone, barred = offer(1, **NOT_HAD), offer(2, arrives=None, availability="not_sold_there")

    assert first(gone, barred) is None
    assert [one.why for one in ranked([gone, barred])] == [
        "It is out of stock.", "It is not sold to where it would go.",
    ]  # fmt: skip
    assert first(gone, barred, offer(3, total=Decimal("999.00"))) == UUID(int=3)
    assert ranked([]) == []


def test_the_words_say_what_decided() -> None:
    best = offer(1, total=Decimal("40.00"), rating=Decimal("4.50"))
    costly = offer(2, total=Decimal("50.00"), arrives=DAY + timedelta(days=2), rating=Decimal(0))

    told = ranked([costly, best])

    assert [one.why for one in told] == [
        (
            "99.0 points, the most of 2 offers: 40.00 in all, the least, there by 2026-12-01, the earliest, new,"
            " rated 4.50 of 5, in stock."
        ),
        (
            "82.0 points against 99.0 of the featured offer. Most are lost by total: 40.0 against 50.0"
            " (50.00 in all, 10.00 more than the least)."
        ),
    ]
    assert [(one.criterion, one.points, one.words) for one in told[1].points][1:4] == [
        ("delivery", Decimal("16.0"), "there by 2026-12-03, 2 days after the earliest"),
        ("condition", Decimal("15.0"), "new"),
        ("seller", Decimal("6.0"), "not rated yet, counted as 3"),
    ]
    assert ranked([best])[0].why.startswith("99.0 points, the only offer that counts: ")


def test_as_many_points_are_decided_by_total_day_rating_and_age_in_turn() -> None:
    same = offer(5)
    # A tenth of a point is too coarse for these differences.
    cheaper = replace(same, product_id=UUID(int=9), total=Decimal("49.99"))
    rated = replace(same, product_id=UUID(int=9), rating=Decimal("4.01"))
    late, later = (replace(same, product_id=UUID(int=n), arrives=DAY + timedelta(days=n)) for n in (60, 61))

    for one, other, words in (
        (cheaper, same, "costs less"),
        (rated, same, "has the better rated seller"),
        (same, replace(same, product_id=UUID(int=6)), "was offered first"),
    ):
        best, rest = ranked([other, one])
        assert (best.facts, best.score) == (one, rest.score)
        assert rest.why == f"{rest.score} points, as many as the featured offer, which {words}."
    _, second, third = ranked([later, late, replace(same, product_id=UUID(int=1))])
    assert (second.facts, third.facts, second.score) == (late, later, third.score)


def drawn(draw: random.Random) -> list[OfferFacts]:
    """Offers that are often alike in something."""
    made = []
    for number in draw.sample(range(1, 100), draw.randrange(1, 9)):
        facts: dict[str, Any] = {
            "total": Decimal(draw.choice([999, 1000, 1001, 1050, 1500, 9000])) / 100,
            "arrives": DAY + timedelta(days=draw.choice([0, 0, 1, 2, 9, 10, 11, 40])),
            "condition": draw.choice(["new", "new", *CONDITIONS]),
            "rating": Decimal(draw.choice([0, 0, 100, 299, 300, 301, 449, 450, 500])) / 100,
            "availability": draw.choice(["in_stock", "in_stock", "backordered"]),
        }
        made.append(offer(number, **facts))
        if draw.random() < 0.2:
            made[-1] = replace(made[-1], arrives=None, availability=draw.choice(["out_of_stock", "not_sold_there"]))
    return made


def by_hand(offers: list[OfferFacts]) -> list[tuple[int, int | None]]:
    """(product, tenths of points) in order, in whole numbers, with what the documentation says written out."""
    had = [one for one in offers if one.arrives is not None]
    new = [one for one in had if one.condition == "new"]
    counts = new or had
    scores: dict[UUID, int] = {}
    for one in counts:
        assert one.arrives is not None
        cents, least = int(one.total * 100), min(int(other.total * 100) for other in counts)
        days = (one.arrives - min(other.arrives for other in counts if other.arrives is not None)).days
        hundredths = int(one.rating * 100) or 300
        condition = {"new": 150, "refurbished": 120, "used_like_new": 90, "used_good": 60, "used_acceptable": 30}
        scores[one.product_id] = (
            (2 * 500 * least + cents) // (2 * cents)
            + max(0, 200 - 20 * days)
            + condition[one.condition]
            + (2 * hundredths * 100 + 500) // 1000
            + (50 if one.availability == "in_stock" else 0)
        )

    def key(one: OfferFacts) -> tuple[Any, ...]:
        place = 0 if one in counts else 1 if one in had else 2
        return (
            place, -scores.get(one.product_id, 0), one.total, one.arrives or date.max, -one.rating, one.product_id.int
        )  # fmt: skip

    return [(one.product_id.int, scores.get(one.product_id)) for one in sorted(offers, key=key)]


def compare(seed: int, cases: int) -> None:
    draw = random.Random(seed)
    for case in range(cases):
        offers = drawn(draw)
        told = ranked(offers)
        found = [(one.facts.product_id.int, None if one.score is None else int(one.score * 10)) for one in told]
        assert found == by_hand(offers), (case, offers)
        assert [one.featured for one in told] == [found[0][1] is not None, *[False] * (len(offers) - 1)]
        again = ranked(draw.sample(offers, len(offers)))
        assert again == told, (case, offers)


def test_random_offers_are_ranked_as_by_hand() -> None:
    compare(1, 2_000)


def no_new_before_used(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(featured, "_candidates", lambda offers: [one for one in offers if one.arrives is not None])


def what_cannot_be_had(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(featured, "_candidates", lambda offers: [one for one in offers if one.condition == "new"] or offers)


def unrated_counts_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(featured, "UNRATED", Decimal(0))


def more_for_a_day(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(featured, "A_DAY", A_DAY + 1)


def more_for_the_total(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(MOST, "total", MOST["total"] + 1)


def conditions_alike(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(featured, "OF_CONDITION", dict.fromkeys(OF_CONDITION, 15))


def backorders_as_stock(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(MOST, "stock", 0)


def ties_as_they_come(patch: pytest.MonkeyPatch) -> None:
    rank = featured._rank  # noqa: SLF001 - the rule is inside
    patch.setattr(featured, "_rank", lambda *asked: rank(*asked)._replace(product_id=UUID(int=0)))


def ties_not_by_total(patch: pytest.MonkeyPatch) -> None:
    rank = featured._rank  # noqa: SLF001 - the rule is inside
    patch.setattr(featured, "_rank", lambda *asked: rank(*asked)._replace(total=Decimal(0)))


MUTANTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    no_new_before_used,
    what_cannot_be_had,
    unrated_counts_nothing,
    more_for_a_day,
    more_for_the_total,
    conditions_alike,
    backorders_as_stock,
    ties_as_they_come,
    ties_not_by_total,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_rule_that_is_changed_is_seen(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: Any) -> None:
    mutant(monkeypatch)

    with pytest.raises(AssertionError):
        compare(2, 500)


def test_the_rule_for_the_unrated_is_the_documented_one() -> None:
    assert f"counts as {UNRATED} of 5" in Path("docs/offers.md").read_text()
