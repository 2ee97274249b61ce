"""Tax, shipping and list prices."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pricing import list_price
from api.pricing.shipping import Sending, ShippingRates
from tests.unit.api.pricing.terms import tariff, terms

TARIFF = tariff(terms("0.0825"))
PRICES = st.decimals("0.01", "99999.99", places=2)


@pytest.mark.parametrize(
    ("subtotal", "tax"),
    [("0.00", "0.00"), ("0.06", "0.00"), ("0.07", "0.01"), ("2.00", "0.17"), ("10.00", "0.83"), ("100.00", "8.25")],
)
def test_tax_is_rounded_half_up(subtotal: str, tax: str) -> None:
    assert TARIFF.tax.on_goods(Decimal(subtotal)) == Decimal(tax)


def charged(
    goods: str, *, rates: ShippingRates = TARIFF.shipping, grams: int = 0, prime: bool = False, **how: Any
) -> str:
    return str(rates.charge(Decimal(goods), grams, prime=prime, sending=Sending(**how)).amount)


@pytest.mark.parametrize(("goods", "fee"), [("0.01", "4.99"), ("34.99", "4.99"), ("35.00", "0.00"), ("900", "0.00")])
def test_shipping_costs_the_fee_below_the_threshold(goods: str, fee: str) -> None:
    assert charged(goods) == fee


def test_a_member_pays_nothing_for_what_takes_part_in_prime_as_a_whole() -> None:
    assert charged("10.00", prime=True, member=True) == "0.00"
    assert charged("10.00", prime=False, member=True) == charged("10.00", prime=True) == "4.99"


def test_zone_weight_and_speed_add_to_the_fee() -> None:
    rates = ShippingRates(
        Decimal("5.00"), Decimal("100.00"), {"international": Decimal("9.00")}, {"prime_next_day": Decimal("3.00")},
        kilo_fee=Decimal("1.50"), kilos=2,
    )  # fmt: skip

    assert charged("10.00", rates=rates, zone="local") == "5.00"
    assert charged("10.00", rates=rates, zone="international") == "14.00"
    assert charged("10.00", rates=rates, grams=2_000) == "5.00"
    assert charged("10.00", rates=rates, grams=2_001) == "6.50"
    assert charged("100.00", rates=rates, grams=9_000, zone="international") == "0.00"
    assert charged("10.00", rates=rates, prime=True, member=True, speed="prime_next_day") == "3.00"


@pytest.mark.parametrize(
    ("price", "listed", "percent"),
    [
        ("80", "100", 20),
        ("100", None, 0),
        ("100", "100", 0),
        ("120", "100", 0),
        ("99", "100", 1),
        ("99.01", "100", 0),
        ("0.01", "9999999.99", 99),
        ("4.99", "1000", 99),
        ("1", "1000", 99),
        ("0.40", "100", 99),
        ("2", "3", 33),
        ("1", "3", 66),
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
