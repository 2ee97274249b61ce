"""Kits with digital components: as many as there are of everything, the key online and the rest in a parcel."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

from api.kernel.context import Context
from api.orders.digital.commands import deliver_due
from tests.harness.buying import ADDRESS, Market
from tests.harness.digital import Game, keys_of
from tests.harness.invariants import assert_invariants
from tests.harness.kits import kit_of, variant_of
from tests.harness.mailing import settle
from tests.harness.parcels import order_of
from tests.harness.shop import Person, problem


def lamp_of(market: Market, seller: Person, stock: int) -> dict[str, Any]:
    return market.product(seller, stock=stock, price=30.0, title=f"Lamp {uuid4()}")


async def test_the_key_is_online_and_the_rest_in_a_parcel(market: Market, seller: Person, ctx: Context) -> None:
    game, lamp, shopper = Game(market, seller, 6), lamp_of(market, seller, 9), market.person()
    kit = kit_of(market, seller, (lamp, 1), (game.product, 2), price=49.0)
    assert kit["variants"][0]["stock"] == 3
    alone = market.client.post(
        "/api/v1/orders/preview",
        json={"items": market.order_body((lamp, 2))["items"], "shippingAddress": ADDRESS},
        headers=shopper.headers,
    ).json()

    line = {"productId": kit["productId"], "variantId": variant_of(kit), "quantity": 2}
    cart = market.client.post("/api/v1/cart/items", json=line, headers=shopper.headers).json()
    single = {"productId": game.product["productId"], "variantId": game.variant, "quantity": 1}
    cart = market.client.post("/api/v1/cart/items", json=single, headers=shopper.headers).json()
    body = {name: value for name, value in market.order_body().items() if name not in {"items", "paymentMethod"}}
    seen = market.client.post("/api/v1/orders/preview", json=body, headers=shopper.headers).json()
    assert (cart["total"], cart["shipping"]) == (seen["total"], seen["shipping"])
    assert (cart["shipping"], seen["estimatedDelivery"]) == (alone["shipping"], alone["estimatedDelivery"])
    refused = problem(
        market.buy(shopper, {**market.order_body(), "items": None, "shippingAddress": {"country": "US"}}),
        422,
        "address-not-valid",
    )
    assert "/shippingAddress/street" in {error["pointer"] for error in refused["errors"]}
    placed = market.buy(shopper, {**market.order_body(expectedTotal=cart["total"]), "items": None})
    assert placed.status_code == 201, placed.text
    order = placed.json()["orderId"]

    assert game.pool() == (1, 6, 0)
    shown = order_of(market, shopper, order)
    parcels = {one["digital"]: one for one in shown["parcels"]}
    assert sum(one["quantity"] for one in parcels[False]["lines"]) == 2
    assert sum(one["quantity"] for one in parcels[True]["lines"]) == 5
    (whole,) = shown["kits"]
    assert (whole["quantity"], whole["total"]) == (2, 98.0)
    await deliver_due(ctx)
    assert keys_of(market, shopper, order) == game.keys[:5]
    assert [one["status"] for one in order_of(market, shopper, order)["parcels"]] == ["confirmed", "delivered"]
    await settle(ctx)
    assert (
        market.client.get(f"/api/v1/products/{kit['productId']}", headers=seller.headers).json()["variants"][0]["stock"]
        == 0
    )

    # The lamps are cancelled: their share of the kit and all of the fee go back.
    (lamps,) = {one["orderItemId"] for one in shown["items"] if one["variantId"] == variant_of(lamp)}
    answer = market.post(shopper, f"{order}/items/{lamps}/cancel", {"quantity": 2})
    assert answer.status_code == 200, answer.text
    captured, refunded = market.money_of(order)
    keys = [one for one in shown["items"] if one["variantId"] == game.variant]
    due = sum(Decimal(str(one["subtotal"])) + Decimal(str(one["taxAmount"])) for one in keys)
    assert captured - refunded == due
    assert_invariants(market.database_url)


async def test_a_kit_of_keys_alone_needs_no_more_than_a_key(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    first, second, lamp = Game(market, seller, 3), Game(market, seller, 4), lamp_of(market, seller, 5)
    kit = kit_of(market, seller, (first.product, 1), (second.product, 1), price=30.0)
    assert (kit["shipping"]["fee"], kit["shipping"]["options"], kit["variants"][0]["stock"]) == (0, [], 3)

    placed = market.buy(buyer, market.order_body((kit, 2), shippingAddress={"country": "US"}))
    assert placed.status_code == 201, placed.text
    await deliver_due(ctx)
    order = placed.json()["orderId"]
    assert sorted(keys_of(market, buyer, order)) == sorted([*first.keys[:2], *second.keys[:2]])
    assert order_of(market, buyer, order)["status"] == "delivered"

    other = {**ADDRESS, "street": "2 Low Street"}
    gift = [{"shippingAddress": other, "lines": [{"variantId": variant_of(kit), "quantity": 1}]}]
    refused = problem(
        market.buy(buyer, market.order_body((kit, 1), (lamp, 1), destinations=gift)), 422, "not-orderable"
    )
    assert refused["errors"][0]["pointer"] == "/destinations/0/lines/0/variantId"
    assert_invariants(market.database_url)


async def test_a_crowd_gets_as_many_kits_as_there_are_keys(market: Market, seller: Person, ctx: Context) -> None:
    game, lamp = Game(market, seller, 5), lamp_of(market, seller, 50)
    kit = kit_of(market, seller, (lamp, 1), (game.product, 1), price=40.0)
    buyers = [market.person() for _ in range(12)]
    body = market.order_body((kit, 1))
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda n: market.buy(buyers[n], body, f"{game.name}-{n}"), range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 7
    await deliver_due(ctx)
    bought = {n: answer.json()["orderId"] for n, answer in enumerate(answers) if answer.status_code == 201}
    assert sorted(key for n, order in bought.items() for key in keys_of(market, buyers[n], order)) == game.keys
    assert_invariants(market.database_url)
