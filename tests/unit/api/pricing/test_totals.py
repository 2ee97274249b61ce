"""Order totals."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from api.pricing.totals import LineTax, PricedLine, Totals, totals
from tests.unit.api.pricing.terms import US as TARIFF

PRICES = st.decimals("0.01", "99999.99", places=2)
LINES = st.tuples(st.integers(1, 999), PRICES).map(lambda line: PricedLine(*line))


def test_the_designs_own_cart() -> None:
    lines = [PricedLine(2, Decimal("999.99"))]
    assert totals(lines, TARIFF) == Totals(
        subtotal=Decimal("1999.98"),
        tax=Decimal("160.00"),
        tax_included=Decimal("0.00"),
        shipping=Decimal("0.00"),
        shipping_reason="free from 35.00",
        shipping_tax=Decimal("0.00"),
        discount=Decimal("0.00"),
        total=Decimal("2159.98"),
        lines=(LineTax("standard", Decimal("0.08"), Decimal("160.00"), included=False),),
    )


def test_shipping_is_free_from_the_threshold_on() -> None:
    assert totals([PricedLine(1, Decimal("34.99"))], TARIFF).shipping == Decimal("4.99")
    assert totals([PricedLine(1, Decimal("35.00"))], TARIFF).shipping == Decimal("0.00")


def test_a_discount_lowers_the_tax_and_the_amount_that_ships_free() -> None:
    result = totals([PricedLine(1, Decimal("40.00"), discount=Decimal("10.00"))], TARIFF)
    assert (result.tax, result.shipping, result.discount) == (Decimal("2.40"), Decimal("4.99"), Decimal("10.00"))
    assert result.total == Decimal("37.39")


def test_nothing_costs_nothing() -> None:
    assert totals([], TARIFF).total == Decimal("0.00")


@given(st.lists(LINES, max_size=20))
def test_amounts_add_up_in_cents(lines: list[PricedLine]) -> None:
    result = totals(lines, TARIFF)
    assert result.total == result.subtotal + result.tax - result.tax_included + result.shipping - result.discount
    assert all(
        amount == amount.quantize(Decimal("0.01"))
        for amount in (result.subtotal, result.tax, result.shipping, result.total)
    )


@given(st.lists(LINES, min_size=1, max_size=20))
def test_the_taxes_of_lines_add_up_and_are_rounded_each(lines: list[PricedLine]) -> None:
    sums = totals(lines, TARIFF)
    taxes = [line.amount for line in sums.lines]

    assert sum(taxes) == sums.tax
    assert all(
        abs(tax - line.subtotal * Decimal("0.08")) <= Decimal("0.005") for tax, line in zip(taxes, lines, strict=True)
    )
