"""What is delivered online alone is ordered with what its tax needs of an address; what is sent needs all of it."""

from typing import Any

import pypdfium2
import pytest

from api.kernel.context import Context
from api.orders.digital.commands import deliver_due
from tests.harness.buying import ADDRESS, Market
from tests.harness.digital import Game, keys_of
from tests.harness.editing import Editing
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import settle
from tests.harness.parcels import order_of
from tests.harness.shop import Person, problem

# A place, and the tax of 20.00 there: on top in the United States and Canada, contained in Germany's prices.
PLACES: list[tuple[dict[str, str], float]] = [
    ({"country": "US"}, 1.6),
    ({"country": "Canada", "state": "ON"}, 2.6),
    ({"country": "CA", "state": "QC", "city": "Laval"}, 3.0),
    ({"country": "DE"}, 3.19),
]


@pytest.fixture
def game(market: Market, seller: Person) -> Game:
    return Game(market, seller, 4)


def asked(game: Game, *others: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return game.market.order_body((game.product, 1), *((one, 1) for one in others), **fields)


def previewed(market: Market, buyer: Person, body: dict[str, Any]) -> Any:
    without = {name: value for name, value in body.items() if name != "paymentMethod"}
    return market.client.post("/api/v1/orders/preview", json=without, headers=buyer.headers)


@pytest.mark.parametrize(("place", "tax"), PLACES, ids=[one["country"] + one.get("state", "") for one, _ in PLACES])
async def test_cart_preview_and_order_need_what_tax_needs(
    market: Market, game: Game, ctx: Context, place: dict[str, str], tax: float
) -> None:
    shopper = market.person()
    line = {"productId": game.product["productId"], "variantId": game.variant, "quantity": 1}
    assert market.client.post("/api/v1/cart/items", json=line, headers=shopper.headers).status_code == 201
    where = {name: value for name, value in place.items() if name != "city"}
    cart = market.client.get("/api/v1/cart", params=where, headers=shopper.headers).json()
    body = asked(game, shippingAddress=place, expectedTotal=cart["total"])
    seen = previewed(market, shopper, body)
    placed = market.buy(shopper, body)

    assert (cart["tax"], cart["shipping"], cart["deliveryOptions"]) == (tax, 0, [])
    assert seen.status_code == 200, seen.text
    assert [seen.json()[name] for name in ("tax", "shipping", "total")] == [tax, 0, cart["total"]]
    assert placed.status_code == 201, placed.text
    order = placed.json()["orderId"]
    kept = {**place, "country": cart["shippingTo"]["country"]}
    shown = order_of(market, shopper, order)
    assert (shown["total"], shown["shippingAddress"], shown["parcels"][0]["shippingAddress"]) == (
        cart["total"], kept, kept,
    )  # fmt: skip
    await deliver_due(ctx)
    assert keys_of(market, shopper, order) == game.keys[:1]
    await settle(ctx)
    (invoice,) = market.client.get(f"/api/v1/orders/{order}/invoices", headers=shopper.headers).json()["invoices"]
    assert (invoice["tax"], invoice["total"]) == (tax, cart["total"])
    paper = pypdfium2.PdfDocument(market.client.get(invoice["pdf"], headers=shopper.headers).content)
    assert kept["country"] in paper[0].get_textpage().get_text_range()
    assert_invariants(market.database_url)


def test_what_is_missing_or_wrong_is_named(market: Market, buyer: Person, seller: Person, game: Game) -> None:
    lamp = market.product(seller, stock=9)
    country = {"country": "US"}
    fields = ["/shippingAddress/street", "/shippingAddress/city", "/shippingAddress/state", "/shippingAddress/zipCode"]
    for body, named in (
        (asked(game, shippingAddress={"country": "CA", "street": "1 High Street"}), ["/shippingAddress/state"]),
        (asked(game, shippingAddress={"country": "US", "state": "Ontario"}), ["/shippingAddress/state"]),
        (asked(game, shippingAddress={"country": "Atlantis"}), ["/shippingAddress/country"]),
        (asked(game, lamp, shippingAddress=country), fields),
        (market.order_body((lamp, 1), shippingAddress={**ADDRESS, "city": None}), ["/shippingAddress/city"]),
    ):
        for answer in (previewed(market, buyer, body), market.buy(buyer, body)):
            refused = problem(answer, 422, "address-not-valid")
            assert [error["pointer"] for error in refused["errors"]] == named
    refused = problem(market.buy(buyer, asked(game, shippingAddress={"city": "Chicago"})), 422, "validation-failed")
    assert [error["pointer"] for error in refused["errors"]] == ["/shippingAddress/country"]
    to = {"shippingAddress": country, "lines": [{"variantId": lamp["variants"][0]["variantId"], "quantity": 1}]}
    refused = problem(market.buy(buyer, asked(game, lamp, destinations=[to])), 422, "address-not-valid")
    assert [error["pointer"] for error in refused["errors"]] == [f"/destinations/0{field}" for field in fields]
    assert game.pool() == (4, 4, 0)


def test_nothing_that_is_sent_is_added_to_an_order_without_an_address(
    market: Market, buyer: Person, seller: Person, game: Game
) -> None:
    lamp, editing = market.product(seller, stock=9), Editing(market, buyer)
    bare = game.order(buyer, shippingAddress={"country": "US"})

    refused = problem(editing.stage(bare, add=[editing.line(lamp, 1)]), 422, "not-orderable")
    assert [error["pointer"] for error in refused["errors"]] == ["/add/0/variantId"]
    whole = game.order(buyer)
    assert editing.staged(whole, add=[editing.line(lamp, 1)])["newTotal"] > 21.6
