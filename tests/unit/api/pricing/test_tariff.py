"""Tax, shipping, list prices and delivery."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pricing import list_price
from api.pricing.delivery import Promise, estimated_delivery, promise
from api.pricing.tariff import Tariff

TARIFF = Tariff(Decimal("0.0825"), Decimal("4.99"), Decimal("35.00"))
PRICES = st.decimals("0.01", "99999.99", places=2)


@pytest.mark.parametrize(
    ("subtotal", "tax"),
    [("0.00", "0.00"), ("0.06", "0.00"), ("0.07", "0.01"), ("2.00", "0.17"), ("10.00", "0.83"), ("100.00", "8.25")],
)
def test_tax_is_rounded_half_up(subtotal: str, tax: str) -> None:
    assert TARIFF.tax(Decimal(subtotal)) == Decimal(tax)


@pytest.mark.parametrize(("subtotal", "fee"), [("0.01", "4.99"), ("34.99", "4.99"), ("35.00", "0.00"), ("900", "0.00")])
def test_shipping_costs_the_fee_below_the_threshold(subtotal: str, fee: str) -> None:
    assert TARIFF.shipping(Decimal(subtotal)) == Decimal(fee)
    assert TARIFF.ships_free(Decimal(subtotal)) == (fee == "0.00")


@pytest.mark.parametrize(
    ("price", "listed", "percent"),
    [
        ("80", "100", 20),
        ("100", None, 0),
        ("100", "100", 0),
        ("120", "100", 0),
        ("99.50", "100", 1),
        ("99.51", "100", 0),
        ("0.01", "9999999.99", 100),
        ("2", "3", 33),
        ("1", "3", 67),
    ],
)
def test_a_discount_is_whole_per_cent(price: str, listed: str | None, percent: int) -> None:
    assert list_price.discount_percent(Decimal(price), listed and Decimal(listed)) == percent  # type: ignore[arg-type]


def test_a_list_price_is_never_below_the_price() -> None:
    assert list_price.is_list_price(None, Decimal(5))
    assert list_price.is_list_price(Decimal(5), Decimal(5))
    assert not list_price.is_list_price(Decimal("4.99"), Decimal(5))


def test_a_variants_list_price_keeps_the_products_distance() -> None:
    assert list_price.of_variant(Decimal(12), Decimal(10), Decimal(15)) == Decimal(17)
    assert list_price.of_variant(Decimal(12), Decimal(10), None) is None


@given(PRICES, st.none() | PRICES, st.integers(1, 999))
def test_a_saving_is_the_distance_to_the_list_price(price: Decimal, listed: Decimal | None, quantity: int) -> None:
    saved = list_price.saving(price, listed, quantity)
    assert saved >= 0
    if listed is not None and listed > price:
        assert price * quantity + saved == listed * quantity
    else:
        assert saved == 0


@pytest.mark.parametrize(("speed", "day"), [("standard", 6), ("prime_2day", 3), ("prime_next_day", 2)])
def test_an_order_arrives_by_its_speed(speed: str, day: int) -> None:
    assert estimated_delivery(date(2026, 3, 1), speed) == date(2026, 3, day)


def test_the_promise_of_a_product() -> None:
    cheap, expensive = Decimal("34.99"), Decimal("35.00")
    assert promise(TARIFF, cheap, prime=False) == Promise(None, "3-5 days", free_shipping=False)
    assert promise(TARIFF, expensive, prime=False) == Promise(None, "3-5 days", free_shipping=True)
    assert promise(TARIFF, cheap, prime=True) == Promise("Tomorrow", "3-5 days", free_shipping=True)
