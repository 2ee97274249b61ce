"""Units that are sold before a warehouse has them: the seller allows it, page, cart and order say when they come, their
parcel waits for them, and whoever ordered first gets them first."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.kernel import clock
from api.kernel.context import Context
from api.kernel.db import ReadTx
from api.operations.invariants.run import violations
from api.orders.backorders import commands
from api.orders.backorders.commands import cover, tell_late
from api.orders.backorders.queries import queue_for
from api.orders.backorders.queue import Waiting
from tests.harness.buying import ADDRESS, Market, wait_until
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mails_to
from tests.harness.parcels import do, order_of, part_of, send
from tests.harness.shop import Person, problem

STOCK = "/api/v1/inventory/variants"


def variant_of(product: dict[str, Any], number: int = 0) -> str:
    return str(product["variants"][number]["variantId"])


def stock_of(market: Market, seller: Person, product: dict[str, Any]) -> dict[str, Any]:
    answer = market.client.get(f"{STOCK}/{variant_of(product)}", headers=seller.headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def allow(
    market: Market,
    seller: Person,
    product: dict[str, Any],
    limit: int,
    *,
    days: int = 10,
    tag: str | None = None,
    number: int = 0,
) -> httpx.Response:
    """In the warehouse where the harness puts stock."""
    place = market.scalar("select warehouse_id from warehouses where code = 'T1'")
    headers = seller.headers if tag is None else {**seller.headers, "If-Match": tag}
    body = {"limit": limit, "days": days}
    path = f"{STOCK}/{variant_of(product, number)}/warehouses/{place}/backorders"
    return market.client.put(path, json=body, headers=headers)


def offered(market: Market, seller: Person, stock: int, limit: int, days: int = 10) -> dict[str, Any]:
    """A new product of which so many units are there, and so many more may be owed."""
    product = market.product(seller, stock=stock)
    answer = allow(market, seller, product, limit, days=days)
    assert answer.status_code == 200, answer.text
    return product


def bought(market: Market, buyer: Person, product: dict[str, Any], units: int, **fields: Any) -> dict[str, Any]:
    answer = market.buy(buyer, market.order_body((product, units), **fields))
    assert answer.status_code == 201, answer.text
    return order_of(market, buyer, answer.json()["orderId"])


def come(market: Market, seller: Person, product: dict[str, Any], units: int) -> None:
    place = str(market.scalar("select warehouse_id from warehouses where code = 'T1'"))
    headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
    body = {"variantId": variant_of(product), "warehouseId": place, "change": units}
    answer = market.client.post("/api/v1/inventory/adjustments", json=body, headers=headers)
    assert answer.status_code == 201, answer.text


def states(market: Market, buyer: Person, *orders: dict[str, Any]) -> list[list[str]]:
    return [[parcel["status"] for parcel in order_of(market, buyer, one["orderId"])["parcels"]] for one in orders]


def level(market: Market, seller: Person, product: dict[str, Any]) -> tuple[int, int, int]:
    """What the seller sees where the stock is: what can be sold, what is owed, and how much may be."""
    body = stock_of(market, seller, product)
    (found,) = body["warehouses"]
    assert (body["stock"], body["owed"]) == (found["available"], found["owed"])
    return found["available"], found["owed"], found["backorderLimit"]


def test_page_cart_and_order_say_the_same_of_what_is_not_there_yet(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 5, days=10)
    where = {"country": "US", "state": "IL"}

    page = market.client.get(f"/api/v1/products/{product['productId']}", params=where).json()
    line = {"productId": product["productId"], "variantId": variant_of(product), "quantity": 1}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201
    cart = market.client.get("/api/v1/cart", params=where, headers=buyer.headers).json()
    body = {**market.order_body(), "items": None, "expectedTotal": cart["total"]}
    answer = market.buy(buyer, {name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 201, answer.text
    order = order_of(market, buyer, answer.json()["orderId"])

    assert (page["inStock"], page["variants"][0]["stock"], page["shipping"]["backordered"]) == (False, 0, True)
    (shown,) = cart["items"]
    assert (shown["available"], shown["backordered"], shown["variant"]["stock"]) == (True, 1, 0)
    (parcel,) = order["parcels"]
    expected = clock.now().date() + timedelta(days=10)
    assert (parcel["status"], parcel["expectedOn"]) == ("backordered", expected.isoformat())
    assert page["shipping"]["standardTo"] == cart["delivery"]["to"] == parcel["promisedOn"]
    assert parcel["promisedOn"] == order["estimatedDelivery"]
    assert date.fromisoformat(parcel["promisedOn"]) > expected
    assert page["shipping"]["fee"] == cart["shipping"] == order["shipping"]
    waiting = market.client.get("/api/v1/sellers/me/orders", params={"status": "backordered"}, headers=seller.headers)
    assert [one["orderId"] for one in waiting.json()["orders"]] == [order["orderId"]]
    assert cart["total"] == order["total"]
    assert (order["status"], order["payment"]["captured"]) == ("confirmed", order["total"])
    assert level(market, seller, product) == (0, 1, 5)
    assert_invariants(market.database_url)


def test_the_page_says_of_each_variant_whether_it_is_backordered_and_when_it_comes(
    market: Market, seller: Person, buyer: Person
) -> None:
    """As a cart with a unit of it alone does. The first is there, the second and third may be owed, the last not."""
    product = market.product(seller, variants=[{"attributes": {"size": size}} for size in "SMLX"])
    for n, days in ((1, 10), (2, 25), (3, 40)):
        market.stock(variant_of(product, n), 0)
        assert allow(market, seller, product, 0 if n == 3 else 4, days=days, number=n).status_code == 200
    where = {"country": "US", "state": "IL"}
    page = market.client.get(f"/api/v1/products/{product['productId']}", params=where).json()
    listed = market.client.get(f"/api/v1/products/{product['productId']}/variants").json()["variants"]

    assert [one["backordered"] for one in page["variants"]] == [False, True, True, False]
    assert [one["backordered"] for one in listed] == [False, True, True, False]
    assert page["shipping"]["backordered"] is False
    for n, shown in enumerate(page["variants"]):
        person = market.person()
        line = {"productId": product["productId"], "variantId": variant_of(product, n), "quantity": 1}
        assert market.client.post("/api/v1/cart/items", json=line, headers=person.headers).status_code == 201
        cart = market.client.get("/api/v1/cart", params=where, headers=person.headers).json()
        assert cart["items"][0]["backordered"] == shown["backordered"]
        assert cart["items"][0]["available"] == (shown["backordered"] or shown["stock"] > 0)
        assert (shown["standardFrom"], shown["standardTo"]) == (
            (cart["delivery"]["from"], cart["delivery"]["to"]) if shown["backordered"] else (None, None)
        )


def test_what_may_be_backordered_is_in_the_picker_and_in_no_price_while_another_is_in_stock(
    market: Market, seller: Person, buyer: Person
) -> None:
    variants = [{"attributes": {"size": "S"}, "price": 20.0}, {"attributes": {"size": "M"}, "price": 10.0}]
    product = market.product(seller, variants=variants, category=f"/Backordered {uuid4().hex[:8]}")
    market.stock(variant_of(product, 1), 0)
    assert allow(market, seller, product, 4, number=1).status_code == 200
    category = market.scalar("select category_id::text from products where product_id = %s", (product["productId"],))

    def listed(**query: Any) -> list[float]:
        answer = market.client.get("/api/v1/products", params={"category": category, **query})
        assert answer.status_code == 200, answer.text
        return [one["price"] for one in answer.json()["products"]]

    page = market.detail(product["productId"])
    assert (listed(), listed(maxPrice=15), listed(inStock=True)) == ([20.0], [], [20.0])
    assert (page["price"], page["inStock"], page["shipping"]["backordered"]) == (20.0, True, False)
    assert [(one["values"], one["available"]) for one in page["combinations"]] == [
        ({"size": "S"}, True), ({"size": "M"}, True),
    ]  # fmt: skip
    line = {"productId": product["productId"], "variantId": variant_of(product, 1), "quantity": 1}
    body = {**market.order_body(), "items": [line]}
    assert market.buy(buyer, body).status_code == 201
    # When nothing is in stock, all of it is shown by its least price.
    market.stock(variant_of(product, 0), 0)
    wait_until(lambda: listed() == [10.0], 10)


async def test_what_is_there_goes_at_once_and_the_rest_when_it_comes(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 3, 4)
    order = bought(market, buyer, product, 5)
    now, later = order["parcels"]
    assert [(p["status"], p["lines"][0]["quantity"]) for p in (now, later)] == [("confirmed", 3), ("backordered", 2)]
    assert now["promisedOn"] < later["promisedOn"] == order["estimatedDelivery"]
    assert (now["expectedOn"], order["items"][0]["quantity"] + order["items"][1]["quantity"]) == (None, 5)
    assert level(market, seller, product) == (0, 2, 4)
    mine = {parcel["parcelId"]: parcel for parcel in part_of(market, seller, order["orderId"])["parcels"]}
    assert mine[later["parcelId"]]["allocation"]["rule"] == "backordered"
    assert mine[later["parcelId"]]["shippingAddress"] is None

    send(market, seller, now["parcelId"])
    for step in ("process", "ship", "deliver"):
        refused = problem(do(market, seller, later["parcelId"], step), 409, "order-state")
        assert refused["parcelStatus"] == "backordered"
    assert order_of(market, buyer, order["orderId"])["status"] == "processing"

    come(market, seller, product, 2)
    assert level(market, seller, product) == (0, 0, 4)
    assert await cover(ctx) == 1
    assert await cover(ctx) == 0
    told = order_of(market, buyer, order["orderId"])
    assert [parcel["status"] for parcel in told["parcels"]] == ["delivered", "confirmed"]
    assert told["parcels"][1]["promisedOn"] == later["promisedOn"]
    told_by = f"parcel 2 of your order {told['orderNumber']}"
    mails = [one for one in await mails_to(ctx, buyer.email) if told_by in one.text]
    assert len(mails) == 1
    assert f"2 x {product['title']}" in mails[0].text
    assert later["promisedOn"] in mails[0].text
    send(market, seller, later["parcelId"])
    assert order_of(market, buyer, order["orderId"])["status"] == "delivered"
    assert_invariants(market.database_url)


async def test_who_ordered_first_is_served_first_and_later_buyers_take_nothing_from_them(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 9)
    first, second, third = (bought(market, buyer, product, units) for units in (3, 2, 1))
    assert level(market, seller, product) == (0, 6, 9)

    come(market, seller, product, 2)
    assert await cover(ctx) == 0  # not enough for the first, and the second has to wait for it
    come(market, seller, product, 2)
    assert await cover(ctx) == 1
    assert states(market, buyer, first, second, third) == [["confirmed"], ["backordered"], ["backordered"]]
    assert level(market, seller, product) == (0, 2, 9)
    late = bought(market, buyer, product, 1)
    assert states(market, buyer, late) == [["backordered"]]

    come(market, seller, product, 10)
    assert await cover(ctx) == 3
    assert level(market, seller, product) == (7, 0, 9)
    assert states(market, buyer, second, third, late) == [["confirmed"]] * 3
    assert_invariants(market.database_url)


async def test_a_seller_who_has_a_part_of_what_is_waited_for_sends_that_first(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 9)
    first, second = bought(market, buyer, product, 5), bought(market, buyer, product, 2)
    come(market, seller, product, 2)
    assert await cover(ctx) == 0

    (waits,) = part_of(market, seller, first["orderId"])["parcels"]
    part = {"lines": [{"orderItemId": waits["lines"][0]["orderItemId"], "quantity": 2}]}
    answer = do(market, seller, waits["parcelId"], "split", part)
    assert (answer.status_code, answer.json()["status"]) == (200, "backordered"), answer.text
    assert level(market, seller, product) == (0, 5, 9)
    assert await cover(ctx) == 1
    assert await cover(ctx) == 0
    assert states(market, buyer, first, second) == [["backordered", "confirmed"], ["backordered"]]
    send(market, seller, answer.json()["newParcelId"])
    told = order_of(market, buyer, first["orderId"])
    assert (told["status"], told["total"]) == ("processing", first["total"])
    assert [parcel["promisedOn"] for parcel in told["parcels"]] == [first["parcels"][0]["promisedOn"]] * 2

    # The rest keeps its place before the second order.
    come(market, seller, product, 3)
    assert await cover(ctx) == 1
    assert states(market, buyer, first, second) == [["confirmed", "delivered"], ["backordered"]]
    assert_invariants(market.database_url)


async def test_what_comes_to_a_warehouse_that_owes_is_for_who_waits_and_cannot_be_moved_away(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    """By a transfer, a replenishment or a count alike."""
    product = offered(market, seller, 0, 9)
    variant, elsewhere = variant_of(product), market.warehouse("OWES-NOTHING")
    home = stock_of(market, seller, product)["warehouses"][0]["warehouseId"]
    order = bought(market, buyer, product, 5)

    def asked(path: str, **body: Any) -> httpx.Response:
        headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
        named = {"variantId": variant, **body} if "receipts" not in path else body
        return market.client.post(f"/api/v1/inventory/{path}", json=named, headers=headers)

    def at_home() -> tuple[int, int]:
        levels = {one["warehouseId"]: one for one in stock_of(market, seller, product)["warehouses"]}
        return levels[home]["available"], levels[home]["owed"]

    def moved(source: str, goal: str, units: int) -> httpx.Response:
        return asked("transfers", fromWarehouseId=source, toWarehouseId=goal, quantity=units)

    headers, path = seller.headers, f"{STOCK}/{variant}/warehouses/{elsewhere}"
    assert market.client.put(path, json={"available": 2}, headers=headers).status_code == 200
    answer = moved(elsewhere, home, 2)
    assert (answer.status_code, answer.json()["toAvailable"]) == (201, 0), answer.text
    assert at_home() == (0, 3)
    assert problem(moved(home, elsewhere, 1), 409, "stock-below-zero")["available"] == 0

    coming = asked("replenishments", warehouseId=home, quantity=6)
    assert coming.status_code == 201, coming.text
    answer = asked(f"replenishments/{coming.json()['replenishmentId']}/receipts", quantity=2)
    assert answer.status_code == 200, answer.text
    assert at_home() == (0, 1)
    assert problem(moved(home, elsewhere, 1), 409, "stock-below-zero")["available"] == 0
    answer = asked(f"replenishments/{coming.json()['replenishmentId']}/receipts", quantity=4)
    assert (answer.status_code, at_home()) == (200, (3, 0)), answer.text

    # The parcel has its five before the worker comes to it; only the other three can go elsewhere.
    assert problem(moved(home, elsewhere, 4), 409, "stock-below-zero")["available"] == 3
    assert moved(home, elsewhere, 3).status_code == 201
    assert await cover(ctx) == 1
    assert states(market, buyer, order) == [["confirmed"]]
    assert_invariants(market.database_url)


async def test_a_cancelled_backorder_is_owed_no_more(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 1, 5)
    order = bought(market, buyer, product, 3)
    waits = order["parcels"][1]
    assert level(market, seller, product) == (0, 2, 5)
    # Whatever the reason says of the units, there are none that could be written off.
    answer = do(market, seller, waits["parcelId"], "cancel", {"reasonCode": "out_of_stock"})
    assert answer.status_code == 200, answer.text
    assert level(market, seller, product) == (0, 0, 5)
    assert states(market, buyer, order) == [["confirmed", "cancelled"]]

    other = bought(market, buyer, product, 2)
    answer = market.post(buyer, f"{other['orderId']}/cancel")
    assert answer.status_code == 200, answer.text
    assert market.money_of(other["orderId"])[1] == market.money_of(other["orderId"])[0]
    assert level(market, seller, product) == (0, 0, 5)
    answer = market.post(buyer, f"{order['orderId']}/cancel")
    assert answer.status_code == 200, answer.text
    assert level(market, seller, product) == (1, 0, 5)
    assert_invariants(market.database_url)


async def test_units_of_a_backorder_that_are_cancelled_go_to_who_waits_next(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 5)
    first, second = bought(market, buyer, product, 3), bought(market, buyer, product, 2)
    come(market, seller, product, 3)
    item = first["items"][0]["orderItemId"]
    answer = market.post(buyer, f"{first['orderId']}/items/{item}/cancel", {"quantity": 2})
    assert answer.status_code == 200, answer.text
    assert await cover(ctx) == 2
    assert states(market, buyer, first, second) == [["confirmed"], ["confirmed"]]
    assert level(market, seller, product) == (0, 0, 5)
    assert_invariants(market.database_url)


def test_a_limit_is_kept_and_never_below_what_is_owed(market: Market, seller: Person, buyer: Person) -> None:
    product = offered(market, seller, 2, 3)
    short = problem(market.buy(buyer, market.order_body((product, 6))), 409, "out-of-stock")
    assert short["items"] == [
        {"variantId": variant_of(product), "productId": product["productId"], "requested": 6, "available": 5}
    ]
    bought(market, buyer, product, 4)
    assert level(market, seller, product) == (0, 2, 3)

    assert problem(allow(market, seller, product, 1), 409, "units-owed")["owed"] == 2
    tag = market.client.get(f"{STOCK}/{variant_of(product)}", headers=seller.headers).headers["ETag"]
    assert allow(market, seller, product, 2, tag=tag).status_code == 200
    problem(market.buy(buyer, market.order_body((product, 1))), 409, "out-of-stock")
    come(market, seller, product, 1)
    problem(allow(market, seller, product, 5, tag=tag), 412, "stock-changed")
    problem(allow(market, buyer, product, 5), 404, "variant-not-found")
    counted = market.client.put(
        f"{STOCK}/{variant_of(product)}/warehouses/{stock_of(market, seller, product)['warehouses'][0]['warehouseId']}",
        json={"available": 7},
        headers=seller.headers,
    )
    assert problem(counted, 409, "units-owed")["owed"] == 1
    assert_invariants(market.database_url)


def test_a_replenishment_with_a_day_says_when_and_edits_take_what_is_there(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 9, days=30)
    day = clock.now().date() + timedelta(days=6)
    place = stock_of(market, seller, product)["warehouses"][0]["warehouseId"]
    headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
    body = {"variantId": variant_of(product), "warehouseId": place, "quantity": 2, "expectedOn": day.isoformat()}
    assert market.client.post("/api/v1/inventory/replenishments", json=body, headers=headers).status_code == 201

    first, second = bought(market, buyer, product, 2), bought(market, buyer, product, 1)

    days = [one["parcels"][0]["expectedOn"] for one in (first, second)]
    assert days == [day.isoformat(), (clock.now().date() + timedelta(days=30)).isoformat()]
    preview = market.client.post(
        "/api/v1/orders/preview",
        json={"items": market.order_body((product, 1))["items"], "shippingAddress": ADDRESS},
        headers=buyer.headers,
    ).json()
    assert [parcel["expectedOn"] for parcel in preview["parcels"]] == [days[1]]
    assert preview["parcels"][0]["promisedOn"] == second["parcels"][0]["promisedOn"]


def test_parcels_that_are_sent_together_wait_for_the_backordered_one(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 1, 3)
    order = bought(market, buyer, product, 2, shippingPreference="together")
    now, later = order["parcels"]
    assert now["promisedOn"] == later["promisedOn"]
    send(market, seller, now["parcelId"], "process")
    assert problem(do(market, seller, now["parcelId"], "ship"), 409, "others-not-ready")["parcels"] == [later["number"]]


async def test_who_waits_longer_than_was_promised_is_told_once_and_gets_a_new_day(
    ctx: Context, market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 0, 3)
    order = bought(market, buyer, product, 2)
    on_time = bought(market, buyer, product, 1)
    (parcel,) = order["parcels"]
    promised = clock.now().date() - timedelta(days=1)
    market.sql.execute("update parcels set promised_on = %s where parcel_id = %s", (promised, parcel["parcelId"]))

    assert await tell_late(ctx) == 1
    assert await tell_late(ctx) == 0
    mails = [one for one in await mails_to(ctx, buyer.email) if f"order {order['orderNumber']} is late" in one.text]
    assert len(mails) == 1
    assert f"by {promised.isoformat()}" in mails[0].text
    assert "cancel it" in mails[0].text

    come(market, seller, product, 3)
    assert await cover(ctx) == 2
    there = order_of(market, buyer, order["orderId"])
    (sent,) = there["parcels"]
    assert (sent["status"], there["estimatedDelivery"]) == ("confirmed", order["estimatedDelivery"])
    assert clock.now().date() < date.fromisoformat(sent["promisedOn"]) < date.fromisoformat(parcel["promisedOn"])
    assert (
        order_of(market, buyer, on_time["orderId"])["parcels"][0]["promisedOn"] == on_time["parcels"][0]["promisedOn"]
    )
    (told, *_) = [
        one
        for one in await mails_to(ctx, buyer.email)
        if "is being made ready" in one.text and order["orderNumber"] in one.text
    ]
    assert f"by {sent['promisedOn']}" in told.text
    assert_invariants(market.database_url)


def test_an_order_is_advanced_with_what_is_there_and_not_edited_where_it_waits(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = offered(market, seller, 1, 3)
    order = bought(market, buyer, product, 2)
    waits = next(line for line in order["items"] if line["status"] == "backordered")
    edit = {"lines": [{"orderItemId": waits["orderItemId"], "quantity": 0}]}
    refused = problem(market.post(buyer, f"{order['orderId']}/edits", edit), 409, "order-not-editable")
    assert refused["errors"][0]["message"].endswith("backordered")
    more = {"add": [{"variantId": variant_of(product), "quantity": 1}]}
    problem(market.post(buyer, f"{order['orderId']}/edits", more), 409, "out-of-stock")

    for status in ("processing", "shipped", "delivered"):
        answer = market.post(seller, f"{order['orderId']}/advance", {"status": status})
        assert (answer.status_code, answer.json()["status"]) == (200, "processing"), answer.text
    assert states(market, buyer, order) == [["delivered", "backordered"]]
    assert_invariants(market.database_url)


@pytest.mark.parametrize("mutant", [False, True], ids=["the product", "mutant that lets two decide at once"])
async def test_one_process_at_a_time_decides_what_is_ready(
    ctx: Context, market: Market, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch, *, mutant: bool
) -> None:
    """One of two parcels can be sent; the queue changes between the reads of two processes, so each chooses another."""
    product = offered(market, seller, 0, 9)
    first, second = (bought(market, buyer, product, 2) for _ in range(2))
    come(market, seller, product, 2)
    read, go, known = asyncio.Event(), asyncio.Event(), queue_for

    async def slowly(tx: ReadTx, variants: Collection[UUID]) -> Sequence[Waiting]:
        queue = await known(tx, variants)
        read.set()
        await go.wait()
        return queue

    monkeypatch.setattr(commands, "queue_for", slowly)
    one = asyncio.create_task(cover(ctx))
    await asyncio.wait_for(read.wait(), 30)
    monkeypatch.setattr(commands, "queue_for", known)
    later = second["parcels"][0]["parcelId"]
    market.sql.execute("update parcels set created_at = created_at - interval '1 hour' where parcel_id = %s", (later,))
    if mutant:
        monkeypatch.setattr(commands, "COVER_LOCK", commands.COVER_LOCK + 1)
    assert await cover(ctx) == mutant
    go.set()
    assert await one == 1

    assert states(market, buyer, first, second) == [["confirmed"], ["confirmed" if mutant else "backordered"]]
    assert {broken.check for broken in violations(market.database_url)} == ({"R-I31-owed"} if mutant else set())
    come(market, seller, product, 2)
    monkeypatch.undo()
    assert await cover(ctx) == (not mutant)
    assert_invariants(market.database_url)
