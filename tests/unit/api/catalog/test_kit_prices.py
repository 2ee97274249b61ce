"""The price of a kit among its components: to the cent, whatever they cost alone."""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.catalog.kits.apportioning import Priced, apportioned
from api.kernel.money import CENT

Rule = Callable[[Decimal, Sequence[Priced]], list[list[Priced]]]
money = st.integers(1, 10**7).map(lambda cents: cents * CENT)
components = st.lists(st.builds(Priced, st.integers(1, 40), money), min_size=2, max_size=20)


def holds(rule: Rule, price: Decimal, parts: Sequence[Priced]) -> bool:
    """All units are there, in whole cents, at most two prices of each component that are a cent apart, which add up to
    the kit's price; and no component is a cent or more away from its exact share."""
    found = rule(price, parts)
    sums = [sum(one.price * one.units for one in own) for own in found]
    alone = [one.price * one.units for one in parts]
    return (
        sum(sums) == price
        and [sum(one.units for one in own) for own in found] == [one.units for one in parts]
        and all(one.price == one.price.quantize(CENT) and one.price >= 0 for own in found for one in own)
        and all(max(one.price for one in own) - min(one.price for one in own) <= CENT for own in found)
        and all(abs(part - price * own / sum(alone)) < CENT for part, own in zip(sums, alone, strict=True))
    )


@given(money, components)
def test_the_parts_of_a_kit_are_its_price(price: Decimal, parts: list[Priced]) -> None:
    assert holds(apportioned, price, parts)


@given(money, components)
def test_the_same_kit_is_apportioned_alike(price: Decimal, parts: list[Priced]) -> None:
    assert apportioned(price, parts) == apportioned(price, list(parts))


def test_a_cent_that_is_left_goes_to_the_largest_remainder_and_to_one_unit() -> None:
    found = apportioned(Decimal("10.00"), [Priced(3, Decimal("2.00")), Priced(2, Decimal("2.00"))])

    assert found == [[Priced(3, Decimal("2.00"))], [Priced(2, Decimal("2.00"))]]
    found = apportioned(Decimal("10.01"), [Priced(3, Decimal("2.00")), Priced(2, Decimal("2.00"))])
    # 6.006 and 4.004: the cent is the first one's, and one of its units costs it.
    assert found == [[Priced(2, Decimal("2.00")), Priced(1, Decimal("2.01"))], [Priced(2, Decimal("2.00"))]]


def rounded(price: Decimal, parts: Sequence[Priced]) -> list[list[Priced]]:
    """Each unit's share by itself, rounded."""
    whole = sum(one.price * one.units for one in parts)
    return [[Priced(one.units, (price * one.price / whole).quantize(CENT, rounding=ROUND_HALF_UP))] for one in parts]


def first_takes_the_rest(price: Decimal, parts: Sequence[Priced]) -> list[list[Priced]]:
    found = rounded(price, parts)
    lost = price - sum(one.price * one.units for own in found for one in own)
    return [[one._replace(price=one.price + lost / one.units) for one in found[0]], *found[1:]]


@pytest.mark.parametrize("mutant", [rounded, first_takes_the_rest])
def test_a_rule_that_loses_a_cent_or_gives_all_of_them_to_one_is_seen(mutant: Rule) -> None:
    """Negative control."""
    parts = [Priced(3, Decimal("3.33")), Priced(7, Decimal("0.11")), Priced(1, Decimal("9.99"))]
    assert not all(holds(mutant, cents * CENT, parts) for cents in range(1, 400))
    assert all(holds(apportioned, cents * CENT, parts) for cents in range(1, 400))
