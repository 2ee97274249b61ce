"""The seller's figures as pure functions of days: a gapless calendar, sums, rates and days of cover."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from api.analytics.dashboard import (
    AllCurrencies,
    Figures,
    MissingRate,
    StockLine,
    _calendar,
    _figures,
    _with_cover,
    add_currencies,
)
from api.analytics.live_sales import LiveDay
from api.analytics.marts import Ratings, SalesDay
from api.catalog.queries.seller_stock import VariantStock
from api.pricing.conversion import Rate, Rates

FIRST = date(2026, 2, 27)


def day(n: int, net: str = "10.00", orders: int = 1, units: int = 2, returned: int = 0) -> SalesDay:
    gross = Decimal(net) + returned
    return SalesDay(FIRST + timedelta(days=n), orders, units, gross, returned, Decimal(returned), Decimal(net))


def variant(n: int, units: int) -> VariantStock:
    return VariantStock(UUID(int=n), UUID(int=100 + n), f"SKU-{n}", units, f"Thing {n}")


def test_every_day_of_the_period_is_there_once_and_days_outside_are_not() -> None:
    shown = _calendar([day(-1), day(1), day(3)], FIRST, FIRST + timedelta(days=2))

    assert [row.day for row in shown] == [FIRST, date(2026, 2, 28), date(2026, 3, 1)]
    assert shown[1] == day(1)
    assert {(row.orders, row.units, row.net_sales) for row in (shown[0], shown[2])} == {(0, 0, Decimal("0.00"))}


def test_figures_are_the_sums_of_the_days() -> None:
    figures = _figures(day(n, net="3.33", orders=2, units=3, returned=1) for n in range(3))

    assert figures == Figures(Decimal("9.99"), 6, 9, 3, Decimal(3))


@pytest.mark.parametrize(
    ("net", "orders", "average"),
    [("10.00", 3, "3.33"), ("0.05", 2, "0.02"), ("-1.00", 2, "-0.50"), ("10.00", 0, "0.00")],
)
def test_an_average_order_is_whole_cents(net: str, orders: int, average: str) -> None:
    assert str(Figures(Decimal(net), orders, 0, 0, Decimal(0)).average_order) == average


@pytest.mark.parametrize(("returned", "units", "rate"), [(1, 3, "33.3"), (5, 4, "125.0"), (2, 0, "0.0"), (0, 9, "0.0")])
def test_a_return_rate_is_per_hundred_units_ordered(returned: int, units: int, rate: str) -> None:
    assert str(Figures(Decimal(0), 1, units, returned, Decimal(0)).return_rate) == rate


def test_a_period_without_days_has_no_sales() -> None:
    assert _figures([]) == Figures(Decimal("0.00"), 0, 0, 0, Decimal("0.00"))


def test_stock_covers_the_days_that_last_months_pace_allows() -> None:
    sold = {str(UUID(int=1)): 60, str(UUID(int=2)): 7, str(UUID(int=4)): 5}

    lines = _with_cover([variant(1, 9), variant(2, 10), variant(3, 5), variant(4, 0)], sold)

    assert lines == [
        StockLine("Thing 1", "SKU-1", 9, 4),
        StockLine("Thing 2", "SKU-2", 10, 42),
        StockLine("Thing 3", "SKU-3", 5, None),
        StockLine("Thing 4", "SKU-4", 0, 0),
    ]


def test_a_live_day_is_a_day_of_the_marts() -> None:
    live = LiveDay(FIRST, "USD", 1, 2, Decimal("11.00"), 1, Decimal("1.00"), Decimal("10.00"))

    assert live.sales_day() == day(0, returned=1)


def test_currencies_become_one_number_only_when_every_day_has_a_rate() -> None:
    days = {"EUR": [day(1, "10.00"), day(3, "-1.00")], "USD": [day(0, "3.00")]}
    figures = {
        "EUR": Figures(Decimal("9.00"), 2, 4, 0, Decimal(0)),
        "USD": Figures(Decimal("3.00"), 1, 2, 0, Decimal(0)),
    }
    first = Rate("EUR", "USD", FIRST + timedelta(days=3), Decimal("1.2"), "bank")
    earlier = Rate("EUR", "USD", FIRST, Decimal("1.1"), "example")

    assert add_currencies(days, "USD", Rates([first, earlier])) == AllCurrencies(
        figures, Decimal("12.80"), [], ["bank", "example"], FIRST
    )
    assert add_currencies(days, "USD", Rates([first])) == AllCurrencies(
        figures, None, [MissingRate("EUR", "USD", FIRST + timedelta(days=1))], []
    )


@pytest.mark.parametrize(
    ("counts", "average"),
    [((0, 0, 0, 0, 0), None), ((1, 0, 0, 0, 1), "3.00"), ((0, 0, 1, 1, 1), "4.00"), ((0, 0, 0, 3, 5), "4.63")],
)
def test_an_average_of_stars_is_rounded_as_on_the_products_page(
    counts: tuple[int, int, int, int, int], average: str | None
) -> None:
    found = Ratings(counts).average
    assert (None if found is None else str(found)) == average
