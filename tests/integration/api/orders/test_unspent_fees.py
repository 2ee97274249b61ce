"""An order of what is sent and what is delivered online, of which all that is sent is cancelled: the whole fee goes
back, each line its own share, whoever cancels and in whatever steps, and all books say so."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from api.kernel.context import Context
from api.orders.digital.commands import deliver_due
from tests.harness.buying import Market
from tests.harness.digital import Game, keys_of
from tests.harness.documents import invoices, misstated
from tests.harness.editing import Editing
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import settle
from tests.harness.parcels import do, order_of
from tests.harness.shop import Person, problem

# 20.00 and its tax, on top of the price or in it.
PLACES: dict[str, tuple[dict[str, Any], str]] = {
    "US": ({}, "21.60"),
    "DE": (
        {"shippingAddress": {"street": "Königstr. 1", "city": "Köln", "zipCode": "50667", "country": "DE"}},
        "20.00",
    ),
}
# Of two lamps of the seller and one of another: (who, line, units).
PATHS: dict[str, list[tuple[str, int, int]]] = {
    "the buyer, line by line": [("buyer", 0, 2), ("buyer", 1, 1)],
    "the buyer, the other way": [("buyer", 1, 1), ("buyer", 0, 2)],
    "the buyer, unit by unit": [("buyer", 0, 1), ("buyer", 1, 1), ("buyer", 0, 1)],
    "the sellers": [("seller", 0, 2), ("seller", 1, 1)],
    "a seller after the buyer": [("buyer", 0, 2), ("seller", 1, 1)],
    "the buyer after a seller": [("seller", 1, 1), ("buyer", 0, 2)],
    "both of one line": [("buyer", 0, 1), ("seller", 1, 1), ("seller", 0, 1)],
    "an edit": [("edit", 0, 2), ("edit", 1, 1)],
    "an edit after the buyer": [("buyer", 0, 2), ("edit", 1, 1)],
    "an edit after a seller": [("seller", 0, 1), ("edit", 0, 1), ("edit", 1, 1)],
    "a seller after an edit": [("edit", 1, 1), ("seller", 0, 2)],
}


class Mixed:
    """An order of two lamps of one seller, one of another, and a game of the first that is delivered already."""

    def __init__(self, market: Market, sellers: list[Person], **fields: Any) -> None:
        self.market, self.sellers, self.buyer = market, sellers, market.person()
        self.game = Game(market, sellers[0], 1)
        prices = (7.77, 13.31)
        lamps = [
            market.product(one, stock=9, price=price, title=f"Lamp {uuid4()}")
            for one, price in zip(sellers, prices, strict=True)
        ]
        body = market.order_body((lamps[0], 2), (lamps[1], 1), (self.game.product, 1), **fields)
        answer = market.buy(self.buyer, body)
        assert answer.status_code == 201, answer.text
        self.order = answer.json()["orderId"]
        items = {one["title"]: one for one in order_of(market, self.buyer, self.order)["items"]}
        self.lines = [items[lamp["title"]]["orderItemId"] for lamp in lamps]

    def cancel(self, who: str, place: int, units: int) -> None:
        line = self.lines[place]
        shown = order_of(self.market, self.buyer, self.order)
        if who == "edit":
            editing = Editing(self.market, self.buyer)
            bought = next(one for one in shown["items"] if one["orderItemId"] == line)
            left = bought["quantity"] - bought["returnedQuantity"]
            staged = editing.staged(self.order, lines=[{"orderItemId": line, "quantity": left - units}])
            editing.committed(staged, token=None)
            return
        if who == "buyer":
            answer = self.market.post(self.buyer, f"{self.order}/items/{line}/cancel", {"quantity": units})
        else:
            parcel = next(
                parcel["parcelId"]
                for parcel in shown["parcels"]
                if line in {inside["orderItemId"] for inside in parcel["lines"]}
            )
            body = {"reasonCode": "wrong_price", "lines": [{"orderItemId": line, "quantity": units}]}
            answer = do(self.market, self.sellers[place], parcel, "cancel", body)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def sellers(market: Market, seller: Person) -> list[Person]:
    return [seller, market.person("seller")]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("country", PLACES)
async def test_all_that_sending_cost_goes_back(
    market: Market, sellers: list[Person], ctx: Context, country: str, path: str
) -> None:
    fields, game = PLACES[country]
    mixed = Mixed(market, sellers, **fields)
    await deliver_due(ctx)
    assert keys_of(market, mixed.buyer, mixed.order) == mixed.game.keys
    for step in PATHS[path]:
        mixed.cancel(*step)

    captured, refunded = market.money_of(mixed.order)
    assert captured - refunded == Decimal(game)
    assert order_of(market, mixed.buyer, mixed.order)["status"] == "delivered"
    booked = market.scalar(
        "select total - (select sum(refund_amount) from return_events e where e.order_id = o.order_id and"
        " to_status = 'refunded') from orders o where order_id = %s",
        (mixed.order,),
    )
    assert booked == Decimal(game)
    await settle(ctx)
    await settle(ctx)
    assert misstated(market.sql, [mixed.order]) == []
    left = {one.user_id: Decimal(0) for one in sellers}
    for document in invoices(market, mixed.order, mixed.buyer):
        sign = 1 if document["kind"] == "invoice" else -1
        left[document["sellerId"]] += sign * Decimal(str(document["total"]))
    assert left == {sellers[0].user_id: Decimal(game), sellers[1].user_id: Decimal(0)}
    assert_invariants(market.database_url)


async def test_each_line_says_what_it_gives_back(market: Market, sellers: list[Person], ctx: Context) -> None:
    """4.99 for 15.54 and 13.31 are 2.69 and 2.30."""
    mixed = Mixed(market, sellers)
    await deliver_due(ctx)
    mixed.cancel("buyer", 0, 2)
    before = order_of(market, mixed.buyer, mixed.order)
    assert ([one["shippingAmount"] for one in before["returns"]], before["adjustments"]) == ([0], [])
    mixed.cancel("buyer", 1, 1)

    shown = order_of(market, mixed.buyer, mixed.order)
    by_line = {one["orderItemId"]: one["shippingAmount"] for one in shown["returns"]}
    (unspent,) = shown["adjustments"]
    assert by_line == {mixed.lines[0]: 0, mixed.lines[1]: 2.3}
    assert (unspent["orderItemId"], unspent["quantity"], unspent["reasonCode"]) == (mixed.lines[0], 0, "nothing_sent")
    assert (unspent["goodsAmount"], unspent["shippingAmount"], unspent["status"]) == (0, 2.69, "refunded")
    give = {"reasonCode": "nothing_sent", "items": [{"orderItemId": mixed.lines[0], "amount": 0, "shippingAmount": 1}]}
    problem(market.post(sellers[0], f"{mixed.order}/refunds", give), 422, "validation-failed")
