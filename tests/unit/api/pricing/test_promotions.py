"""Promotions take off what they say, to the cent, whatever the order of the lines."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.money import ZERO, to_cents
from api.pricing.promotions import Goods, Kind, Promotion, Reduced, Refusal, reduced

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ANNA, BERT = UUID(int=101), UUID(int=102)
BOOKS, NOVELS, TOYS = UUID(int=201), UUID(int=202), UUID(int=203)


def goods(number: int, amount: str, seller: UUID = ANNA, *categories: UUID) -> Goods:
    return Goods(UUID(int=number), Decimal(amount), UUID(int=1_000 + number), seller, frozenset(categories))


def promotion(number: int, value: str, kind: Kind = "percent", **fields: object) -> Promotion:
    terms: dict[str, object] = {"name": f"P{number}", "currency": "USD", "starts_at": NOW - DAY, **fields}
    return Promotion(UUID(int=number), kind=kind, value=Decimal(value), **terms)  # type: ignore[arg-type]  # by name


def taken(found: Reduced) -> dict[int, Decimal]:
    """Line -> what is off it."""
    return {key.int: sum((one.amount for one in lines), ZERO) for key, lines in found.lines.items()}


def refused(found: Reduced) -> dict[int, Refusal]:
    return {key.int: why for key, why in found.refused.items()}


def test_a_percentage_is_rounded_once_and_shared_by_the_lines() -> None:
    found = reduced([goods(1, "9.99"), goods(2, "0.01"), goods(3, "20.00")], [promotion(1, "15")], "USD", NOW)

    assert taken(found) == {1: Decimal("1.50"), 3: Decimal("3.00")}
    assert found.of_promotion(UUID(int=1)) == Decimal("4.50")
    assert (found.refused, found.free_shipping) == ({}, None)


@pytest.mark.parametrize(
    ("amount", "cap", "off"), [("7.00", None, "7.00"), ("99.00", None, "12.00"), ("7.00", "5.00", "5.00")]
)
def test_an_amount_is_never_more_than_the_goods_or_the_cap(amount: str, cap: str | None, off: str) -> None:
    most = None if cap is None else Decimal(cap)
    lines = [goods(1, "4.00"), goods(2, "8.00")]

    assert sum(taken(reduced(lines, [promotion(1, amount, "amount", max_discount=most)], "USD", NOW)).values()) == (
        Decimal(off)
    )


def test_each_promotion_takes_from_what_the_ones_of_higher_priority_left() -> None:
    half, fixed = promotion(1, "50"), promotion(2, "10.00", "amount", priority=1)

    found = reduced([goods(1, "100.00")], [half, fixed], "USD", NOW)

    assert [(one.name, one.amount) for one in found.lines[UUID(int=1)]] == [
        ("P2", Decimal("10.00")),
        ("P1", Decimal("45.00")),
    ]


@pytest.mark.parametrize(
    ("scope", "lines"),
    [
        ({}, {1, 2, 3}),
        ({"seller_id": BERT}, {3}),
        ({"category_id": BOOKS}, {1, 2}),
        ({"category_id": NOVELS}, {1}),
        ({"product_id": UUID(int=1_002)}, {2}),
        ({"seller_id": ANNA, "category_id": NOVELS}, {1}),
    ],
)
def test_only_goods_in_scope_are_cheaper(scope: dict[str, UUID], lines: set[int]) -> None:
    cart = [goods(1, "10.00", ANNA, BOOKS, NOVELS), goods(2, "10.00", ANNA, BOOKS), goods(3, "10.00", BERT, TOYS)]

    assert set(taken(reduced(cart, [promotion(1, "10", "percent", **scope)], "USD", NOW))) == lines


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"starts_at": NOW + DAY}, Refusal.NOT_STARTED),
        ({"ends_at": NOW}, Refusal.ENDED),
        ({"currency": "EUR"}, Refusal.OTHER_CURRENCY),
        ({"seller_id": BERT}, Refusal.NO_GOODS),
        ({"minimum": Decimal("10.01")}, Refusal.BELOW_MINIMUM),
        ({"value": Decimal("0.01")}, Refusal.NOTHING_LEFT),
    ],
)
def test_a_promotion_that_does_not_hold_says_why(fields: dict[str, object], why: Refusal) -> None:
    terms = {"value": "10", **fields}
    found = reduced([goods(1, "10.00")], [promotion(1, **terms)], "USD", NOW)  # type: ignore[arg-type]  # by name

    assert (found.lines, refused(found)) == ({}, {1: why})


def test_the_minimum_counts_goods_in_scope_before_discounts() -> None:
    cart = [goods(1, "10.00", ANNA), goods(2, "50.00", BERT)]
    first, second = promotion(1, "50", priority=1), promotion(2, "10", seller_id=ANNA, minimum=Decimal("10.00"))

    assert refused(reduced(cart, [first, second], "USD", NOW)) == {}


def test_what_does_not_combine_applies_alone_and_of_one_group_one() -> None:
    cart = [goods(1, "100.00")]
    alone, other = promotion(1, "50", combines=False, priority=2), promotion(2, "10", priority=1)
    red, blue = promotion(3, "20", exclusive_group="colour"), promotion(4, "30", exclusive_group="colour")
    of_bert = promotion(5, "5", exclusive_group="colour", seller_id=BERT)

    assert refused(reduced(cart, [alone, other], "USD", NOW)) == {2: Refusal.NOT_COMBINABLE}
    assert refused(reduced(cart, [promotion(1, "50", combines=False), other], "USD", NOW)) == {
        1: Refusal.NOT_COMBINABLE
    }
    assert refused(reduced(cart, [blue, red], "USD", NOW)) == {4: Refusal.NOT_COMBINABLE}
    both = [*cart, goods(2, "10.00", BERT)]
    assert refused(reduced(both, [red, of_bert], "USD", NOW)) == {}


def test_shipping_is_free_once_and_for_orders_in_scope_as_a_whole() -> None:
    cart = [goods(1, "10.00", ANNA), goods(2, "10.00", BERT)]
    shop, again = promotion(1, "0", "free_shipping"), promotion(2, "0", "free_shipping")
    of_anna = promotion(3, "0", "free_shipping", seller_id=ANNA)

    found = reduced(cart, [shop, again, of_anna], "USD", NOW)

    assert (found.free_shipping, found.lines) == (shop, {})
    assert refused(found) == {2: Refusal.NOTHING_LEFT, 3: Refusal.OTHER_GOODS}
    assert reduced(cart[:1], [of_anna], "USD", NOW).free_shipping == of_anna


AMOUNTS = st.integers(1, 100_000).map(lambda cents: Decimal(cents) / 100)
LINES = st.lists(st.tuples(AMOUNTS, st.sampled_from([ANNA, BERT])), min_size=1, max_size=4)
TERMS = st.tuples(
    st.sampled_from(["percent", "amount"]),
    st.integers(1, 10_000),
    st.sampled_from([None, ANNA, BERT]),
    st.one_of(st.none(), AMOUNTS),
    st.integers(-1, 1),
    st.booleans(),
)


@given(lines=LINES, terms=st.lists(TERMS, max_size=4))
def test_discounts_add_up_and_leave_nothing_below_zero_in_any_order(
    lines: list[tuple[Decimal, UUID]], terms: list[tuple[Kind, int, UUID | None, Decimal | None, int, bool]]
) -> None:
    cart = [Goods(UUID(int=n), amount, UUID(int=n), seller, frozenset()) for n, (amount, seller) in enumerate(lines)]
    offered = [
        promotion(n, str(Decimal(value) / 100), kind, seller_id=seller, max_discount=cap, priority=rank, combines=joins)
        for n, (kind, value, seller, cap, rank, joins) in enumerate(terms)
    ]

    found = reduced(cart, offered, "USD", NOW)

    for one in cart:
        off = [each.amount for each in found.lines.get(one.key, ())]
        assert all(amount > 0 and amount == to_cents(amount) for amount in off)
        assert sum(off, ZERO) <= one.amount
    every = sum((each.amount for of_line in found.lines.values() for each in of_line), ZERO)
    assert sum((found.of_promotion(each.promotion_id) for each in offered), ZERO) == every
    for terms_of in offered:
        off_all = found.of_promotion(terms_of.promotion_id)
        assert (terms_of.promotion_id in found.refused) == (off_all == 0)
        assert terms_of.max_discount is None or off_all <= terms_of.max_discount
        assert terms_of.kind == "percent" or off_all <= terms_of.value
    for changed in permutations(cart):
        assert reduced(list(changed), offered[::-1], "USD", NOW) == found
