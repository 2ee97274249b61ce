"""A cart at today's prices."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from api.carts.queries import Line, StoredCart, cart_body
from api.carts.schemas import CartBody
from api.catalog.purchase import Occasion
from api.catalog.queries.offers import Offer
from api.delivery.places import Place
from api.delivery.promises import Origin
from api.kernel.languages import Reader
from api.kernel.money import ZERO
from tests.unit.api.pricing.terms import tariff, terms

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
ENGLISH = Reader("en", "en")
OCCASION = Occasion(Place("US"), NOON, member=False, tariff=tariff(terms("0.10")))
LAMP, CHAIR = UUID(int=1), UUID(int=2)
ORIGINS = {UUID(int=51): Origin("US", 41.88, -87.63, True, 840, "America/Chicago")}
OFFER = Offer(
    warehouses=[UUID(int=51)],
    available=[5],
    rooms=None,
    edition=UUID(int=61),
    product_id=UUID(int=11),
    variant_id=LAMP,
    title="Lamp",
    language=None,
    titles='{"de": "Leuchte"}',
    brand=None,
    sku="LAMP",
    attributes="{}",
    price=Decimal("10.00"),
    product_price=Decimal("10.00"),
    product_list_price=Decimal("12.50"),
    lowest_price_30d=None,
    currency="USD",
    stock=5,
    on_sale=True,
    prime_eligible=False,
    weight_grams=None,
    tax_class="standard",
    condition="new",
    restrictions=None,
    thumbnail="/lamp.svg",
    kind="physical",
)
OFFERS = {LAMP: OFFER, CHAIR: replace(OFFER, variant_id=CHAIR, price=Decimal("40.00"), product_list_price=None)}


@dataclass(frozen=True)
class Wanted:
    variant_id: UUID
    quantity: int
    price: str = "10.00"
    seen: str | None = None


def body(*lines: Wanted, offers: dict[UUID, Offer] = OFFERS, reader: Reader = ENGLISH) -> CartBody:
    stored = [
        Line(
            offer=offers[wanted.variant_id],
            cart_item_id=UUID(int=31),
            quantity=wanted.quantity,
            price_at_addition=Decimal(wanted.price),
            price_seen=None if wanted.seen is None else Decimal(wanted.seen),
        )
        for wanted in lines
    ]
    return read(StoredCart(UUID(int=41), 1, stored), reader)


def read(cart: StoredCart | None, reader: Reader = ENGLISH) -> CartBody:
    """The answer as the schema reads it: a field that is missing, unknown or of another type is an error."""
    answer = cart_body(cart, "EUR", OCCASION, ORIGINS, reader=reader)
    known = CartBody.model_validate_json(answer)
    # The schema writes the same.
    assert json.loads(known.model_dump_json(by_alias=True)) == json.loads(answer)
    assert list(json.loads(answer)) == list(json.loads(known.model_dump_json(by_alias=True)))
    return known


def test_lines_add_up_with_tax_shipping_and_savings() -> None:
    cart = body(Wanted(LAMP, 2))
    assert (cart.subtotal, cart.tax, cart.shipping, cart.total) == (
        Decimal("20.00"),
        Decimal("2.00"),
        Decimal("4.99"),
        Decimal("26.99"),
    )
    assert (cart.savings, cart.item_count, cart.currency) == (Decimal("5.00"), 2, "USD")


def test_a_large_cart_ships_free_and_saves_only_against_list_prices() -> None:
    cart = body(Wanted(LAMP, 1), Wanted(CHAIR, 1, "40.00"))
    assert (cart.subtotal, cart.shipping, cart.savings) == (Decimal("50.00"), Decimal("0.00"), Decimal("2.50"))


def test_an_empty_cart_costs_nothing_in_the_shops_currency() -> None:
    cart = read(None)
    assert (cart.cart_id, cart.currency) == (None, "EUR")
    assert cart.items == []
    assert cart.total == cart.savings == ZERO


def test_what_cannot_be_bought_is_shown_and_not_counted() -> None:
    for offer in (replace(OFFER, on_sale=False), replace(OFFER, stock=1, available=[1])):
        cart = body(Wanted(LAMP, 2), offers={LAMP: offer})
        assert [item.available for item in cart.items] == [False]
        assert cart.item_count == 2
        assert cart.subtotal == cart.savings == ZERO


def test_another_currency_than_the_oldest_lines_is_not_in_the_sum() -> None:
    cart = body(Wanted(LAMP, 1), Wanted(CHAIR, 1), offers={**OFFERS, CHAIR: replace(OFFERS[CHAIR], currency="EUR")})
    assert [item.available for item in cart.items] == [True, False]
    assert (cart.currency, cart.subtotal) == ("USD", Decimal("10.00"))


def test_a_changed_price_is_told() -> None:
    cart = body(Wanted(LAMP, 1, "9.00"), Wanted(LAMP, 1))
    assert [(item.price_when_added, item.price_changed) for item in cart.items] == [
        (Decimal("9.00"), True),
        (Decimal("10.00"), False),
    ]


def test_a_changed_price_that_was_seen_is_told_no_more() -> None:
    cart = body(
        Wanted(LAMP, 1, "9.00", seen="10.00"), Wanted(LAMP, 1, "9.00", seen="9.50"), Wanted(LAMP, 1, seen="9.00")
    )
    assert [(item.price_when_added, item.price_changed) for item in cart.items] == [
        (Decimal("9.00"), False),
        (Decimal("9.00"), True),
        (Decimal("10.00"), True),
    ]


@pytest.mark.parametrize(
    ("language", "own", "shown"),
    [
        ("en", None, ("Lamp", None)),
        ("de", None, ("Leuchte", None)),
        ("fr", None, ("Lamp", "en")),
        ("en", "fr", ("Lamp", "fr")),
    ],
)
def test_titles_are_in_the_readers_language_or_say_in_which_they_are(
    language: str, own: str | None, shown: tuple[str, str | None]
) -> None:
    cart = body(Wanted(LAMP, 2), offers={LAMP: replace(OFFER, language=own)}, reader=Reader(language, "en"))
    assert [(item.product.title, item.product.title_language) for item in cart.items] == [shown]
    assert cart.explanation[0].text == f"2 x {shown[0]}"
