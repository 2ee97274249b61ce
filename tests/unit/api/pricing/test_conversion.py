"""Conversion by dated rates: the newest rate on the day or before it, and no number without one."""

from datetime import date
from decimal import Decimal

import pytest

from api.pricing.conversion import Rate, Rates

RATES = Rates(
    [
        Rate("EUR", "USD", date(2026, 3, 4), Decimal("1.2"), "b"),
        Rate("EUR", "USD", date(2026, 3, 2), Decimal("1.1"), "a"),
        Rate("GBP", "EUR", date(2026, 1, 1), Decimal("1.17"), "a"),
    ]
)


@pytest.mark.parametrize(("day", "converted"), [(1, None), (2, "11.06"), (3, "11.06"), (4, "12.06"), (31, "12.06")])
def test_a_rate_holds_from_its_day_until_the_next(day: int, converted: str | None) -> None:
    found = RATES.convert(Decimal("10.05"), "EUR", "USD", date(2026, 3, day))

    assert found == (converted and Decimal(converted))


def test_a_pair_is_neither_inverted_nor_computed_over_a_third_currency() -> None:
    day = date(2026, 3, 9)

    assert RATES.convert(Decimal(1), "USD", "EUR", day) is None
    assert RATES.convert(Decimal(1), "GBP", "USD", day) is None
    assert RATES.convert(Decimal("-1.005"), "GBP", "GBP", day) == Decimal("-1.005")


def test_halves_of_a_cent_go_away_from_zero_as_in_the_marts() -> None:
    assert RATES.convert(Decimal("-0.05"), "EUR", "USD", date(2026, 3, 2)) == Decimal("-0.06")
