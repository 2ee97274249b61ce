"""Order totals."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from api.pricing.tariff import Tariff
from api.pricing.totals import PricedLine, Totals, line_taxes, totals

TARIFF = Tariff(Decimal("0.08"), Decimal("4.99"), Decimal("35.00"))
PRICES = st.decimals("0.01", "99999.99", places=2)


def test_the_designs_own_cart() -> None:
    lines = [PricedLine(2, Decimal("999.99"))]
    assert totals(lines, TARIFF) == Totals(
        Decimal("1999.98"), Decimal("160.00"), Decimal("0.00"), Decimal("0.00"), Decimal("2159.98")
    )


def test_shipping_is_free_from_the_threshold_on() -> None:
    assert totals([PricedLine(1, Decimal("34.99"))], TARIFF).shipping == Decimal("4.99")
    assert totals([PricedLine(1, Decimal("35.00"))], TARIFF).shipping == Decimal("0.00")


def test_nothing_costs_nothing() -> None:
    assert totals([], TARIFF).total == Decimal("0.00")


@given(st.lists(st.builds(PricedLine, st.integers(1, 999), PRICES), max_size=20))
def test_amounts_add_up_in_cents(lines: list[PricedLine]) -> None:
    result = totals(lines, TARIFF)
    assert result.total == result.subtotal + result.tax + result.shipping - result.discount
    assert all(
        amount == amount.quantize(Decimal("0.01"))
        for amount in (result.subtotal, result.tax, result.shipping, result.total)
    )


@given(st.lists(st.builds(PricedLine, st.integers(1, 99), PRICES), min_size=1, max_size=20))
def test_the_taxes_of_lines_add_up_and_are_within_a_cent_of_their_own(lines: list[PricedLine]) -> None:
    sums = totals(lines, TARIFF)

    taxes = line_taxes(sums.tax, lines)

    assert sum(taxes) == sums.tax
    exact = [sums.tax * line.subtotal / sums.subtotal for line in lines]
    assert all(abs(tax - part) < Decimal("0.01") for tax, part in zip(taxes, exact, strict=True))
