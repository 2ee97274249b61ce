"""Tax: the rates of the table, and amounts that add up."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.delivery.places import Place, country_codes
from api.pricing.tax import TaxTable, TaxTerms, embedded, owed_by_marketplace, tax_of
from api.pricing.tax_table import MARKETS, ROWS, TaxRow
from api.pricing.totals import PricedLine, totals
from tests.unit.api.pricing.terms import tariff, terms

US_RATE = Decimal("0.08")
ENGINE = embedded(US_RATE)
DAY = date(2026, 11, 27)
STATES = ("AL", "CA", "DE", "IL", "NY", "OR", "WY", None)
PRICES = st.decimals("0.01", "99999.99", places=2)
PLACES = st.builds(Place, st.sampled_from([*MARKETS, "KE", "AQ"]), st.sampled_from([None, "ON", "QC", "BC", "CA"]))


def rate(country: str, tax_class: str = "standard", day: date = DAY, region: str | None = None) -> str:
    return str(ENGINE.terms(Place(country, region), day).rate(tax_class).normalize())


def test_five_at_99_with_22_per_cent_included() -> None:
    sums = totals([PricedLine(5, Decimal("99.00"))], tariff(terms("0.22", included=True)))

    assert (sums.subtotal, sums.tax, sums.tax_included, sums.total) == (
        Decimal("495.00"), Decimal("89.26"), Decimal("89.26"), Decimal("495.00"),
    )  # fmt: skip


def test_goods_with_tax_included_and_shipping_with_tax_on_top() -> None:
    market = terms("0.21", included=True, shipping="0.21")
    lines = [PricedLine(1, Decimal("45.00")), PricedLine(1, Decimal("49.00"))]

    sums = totals(lines, tariff(market, fee="4.96", free_from="1000.00"))

    assert [line.amount for line in sums.lines] == [Decimal("7.81"), Decimal("8.50")]
    assert (sums.shipping, sums.shipping_tax, sums.total) == (Decimal("4.96"), Decimal("1.04"), Decimal("100.00"))
    assert (sums.tax, sums.tax_included) == (Decimal("17.35"), Decimal("16.31"))


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_the_us_is_taxed_8_per_cent_on_goods_alone(state: str | None) -> None:
    found = ENGINE.terms(Place("US", state), DAY)

    sums = totals([PricedLine(2, Decimal("10.00"))], tariff(found))

    assert (sums.tax, sums.tax_included, sums.shipping_tax, sums.total) == (
        Decimal("1.60"), Decimal("0.00"), Decimal("0.00"), Decimal("26.59"),
    )  # fmt: skip


@pytest.mark.parametrize("country", ["KE", "AQ", "XX"])
def test_a_country_without_a_row_is_not_taxed_and_says_why(country: str) -> None:
    found = ENGINE.terms(Place(country), DAY)

    assert found.rate("standard") == found.shipping_rate == Decimal(0)
    assert found.reason == f"the shop has no tax rates of {country}"


def test_rates_by_class_region_and_day() -> None:
    assert [rate("JP"), rate("JP", "food"), rate("JP", "books")] == ["0.1", "0.08", "0.1"]
    assert [rate("GB"), rate("GB", "books"), rate("IT", "books")] == ["0.2", "0", "0.04"]
    assert [rate("FI", day=date(2024, 8, day)) for day in (30, 31)] == ["0.24", "0.24"]
    assert [rate("FI", day=date(2024, 9, 1)), rate("FI")] == ["0.255", "0.255"]
    assert [rate("CA"), rate("CA", region="QC"), rate("CA", "food", region="ON")] == ["0.05", "0.14975", "0"]
    assert ENGINE.terms(Place("JP"), date(2019, 9, 30)).reason == "the shop has no tax rates of JP for 2019-09-30"


def test_an_exempt_buyer_pays_no_tax_on_goods_and_shipping() -> None:
    for country in MARKETS:
        sums = totals(
            [PricedLine(1, Decimal("10.00"))],
            tariff(ENGINE.terms(Place(country), DAY, exempt=True)),
        )
        assert (sums.tax, sums.total) == (Decimal("0.00"), Decimal("14.99"))


@pytest.mark.parametrize(
    ("country", "seller", "owed"),
    [("US", "US", True), ("DE", "FR", False), ("DE", "CN", True), ("GB", "GB", False), ("GB", "DE", True),
     ("JP", "CN", False), ("KE", "US", False)],
)  # fmt: skip
def test_where_the_marketplace_owes_the_tax(country: str, seller: str, owed: bool) -> None:
    place = Place(country)

    assert owed_by_marketplace(ENGINE.terms(place, DAY), place, seller) is owed


def test_rows_are_of_countries_and_name_their_source() -> None:
    countries = set(country_codes().values())
    for row in ROWS:
        assert row.country in countries
        assert row.source
        assert 0 <= row.rate < 1
    assert {row.country for row in ROWS} | {"US"} == set(MARKETS)


def test_no_day_has_two_rates_of_one_class() -> None:
    def first(row: TaxRow) -> date:
        return row.since or date.min

    for row in ROWS:
        others = [
            other
            for other in ROWS
            if other is not row
            and (other.country, other.region, other.tax_class) == (row.country, row.region, row.tax_class)
        ]
        assert all(first(row) > (other.until or date.max) or first(other) > (row.until or date.max) for other in others)


def test_an_outside_engine_takes_the_place_of_the_table() -> None:
    class Flat:
        def terms(self, place: Place, day: date, *, exempt: bool = False) -> TaxTerms:
            return terms("0.5")

    assert totals([PricedLine(1, Decimal("10.00"))], tariff(Flat().terms(Place("US"), DAY))).tax == Decimal("5.00")


@given(PRICES, st.decimals("0", "0.3", places=3))
def test_tax_that_is_included_is_the_tax_on_what_is_left(gross: Decimal, share: Decimal) -> None:
    tax = tax_of(gross, share, included=True)

    assert abs(tax - (gross - tax) * share) <= Decimal("0.01")


@given(
    st.lists(
        st.tuples(st.integers(1, 99), PRICES, st.sampled_from(["standard", "food", "books"])).map(
            lambda line: PricedLine(*line)
        ),
        max_size=9,
    ),
    PLACES,
    st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.booleans(),
    st.decimals("0.00", "50.00", places=2),
)
def test_lines_shipping_and_tax_are_the_total(
    lines: list[PricedLine], place: Place, day: date, exempt: bool, fee: Decimal
) -> None:
    found = TaxTable(ROWS, MARKETS).terms(place, day, exempt=exempt)
    sums = totals(lines, tariff(found, str(fee)))

    assert sums.subtotal == sum((line.subtotal for line in lines), Decimal(0))
    assert sums.tax == sum((line.amount for line in sums.lines), Decimal(0)) + sums.shipping_tax
    added = [line.amount for line in sums.lines if not line.included]
    added += [] if found.shipping_included else [sums.shipping_tax]
    assert sums.total == sums.subtotal + sums.shipping + sum(added, Decimal(0)) - sums.discount
    assert 0 <= sums.tax_included <= sums.tax
    assert all(amount.as_tuple().exponent == -2 for amount in (sums.tax, sums.tax_included, sums.total))


def test_a_state_is_needed_where_it_decides_about_the_tax() -> None:
    regions = {row.region for row in ROWS if row.region}
    for country in MARKETS:
        rates = {str(sorted(ENGINE.terms(Place(country, region), DAY).rates.items())) for region in {None, *regions}}
        assert ENGINE.needs(country) == (("state",) if len(rates) > 1 else ()), country
    assert (ENGINE.needs("CA"), ENGINE.needs("US"), ENGINE.needs("XX")) == (("state",), (), ())
