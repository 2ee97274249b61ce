"""Kits that are bought: lines of their components, which cost together what the kit does to the cent, compete for the
same stock as what is bought by itself, and are sent, cancelled and returned as ordinary lines."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.coupons import promote
from tests.harness.fleet import Fleet
from tests.harness.kits import Json, cents, kit_of, made_of, variant_of
from tests.harness.parcels import order_of, stocked_in_leeds
from tests.harness.rush import rush
from tests.harness.shop import Person, problem

PORTUGAL = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
AMOUNTS = ("subtotal", "tax", "taxIncluded", "shipping", "discount", "total")


def placed(market: Market, buyer: Person, *lines: tuple[Json, int], **fields: Any) -> dict[str, Any]:
    answer = market.buy(buyer, market.order_body(*((dict(product), units) for product, units in lines), **fields))
    assert answer.status_code == 201, answer.text
    return order_of(market, buyer, answer.json()["orderId"])


def previewed(market: Market, buyer: Person, body: Json) -> dict[str, Any]:
    asked = {name: value for name, value in body.items() if name != "paymentMethod"}
    answer = market.client.post("/api/v1/orders/preview", json=asked, headers=buyer.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def into_cart(market: Market, buyer: Person, product: Json, units: int) -> None:
    line = {"productId": product["productId"], "variantId": variant_of(product), "quantity": units}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201


def cart_of(market: Market, buyer: Person) -> dict[str, Any]:
    return dict(market.client.get("/api/v1/cart", params=where(), headers=buyer.headers).json())


def where() -> dict[str, str]:
    return {name: ADDRESS[name] for name in ("country", "state", "zipCode")}


def bought(order: Json, product: Json) -> list[dict[str, Any]]:
    """The order's lines of a product, the cheapest first."""
    lines = [line for line in order["items"] if line["variantId"] == variant_of(product)]
    return sorted(lines, key=lambda line: (line["price"], line["orderItemId"]))


def test_the_lines_of_a_kit_are_its_price(market: Market, seller: Person, buyer: Person) -> None:
    camera, film = market.product(seller, price=30.0), market.product(seller, price=3.33, stock=20)
    kit = kit_of(market, seller, (camera, 1), (film, 3), price=35.0)
    body = market.order_body((kit, 2))
    into_cart(market, buyer, kit, 2)
    cart, preview = cart_of(market, buyer), previewed(market, buyer, body)

    answer = market.buy(buyer, {**body, "items": None, "expectedTotal": cart["total"]})

    assert answer.status_code == 201, answer.text
    order = order_of(market, buyer, answer.json()["orderId"])
    assert {name: order[name] for name in AMOUNTS} == {name: cart[name] for name in AMOUNTS}
    assert {name: order[name] for name in AMOUNTS} == {name: preview[name] for name in AMOUNTS}
    # 35.00 in proportion to 30.00 and 9.99: 26.26 and 8.74, which is 2.91, 2.91 and 2.92 for the three.
    assert [(line["quantity"], line["price"], line["listPrice"]) for line in bought(order, camera)] == [
        (2, 26.26, 30.0)
    ]
    assert [(line["quantity"], line["price"]) for line in bought(order, film)] == [(4, 2.91), (2, 2.92)]
    told = {
        "variantId": variant_of(kit),
        "productId": kit["productId"],
        "title": kit["title"],
        "sku": kit["variants"][0]["sku"],
        "quantity": 2,
        "price": 35.0,
    }
    assert [line["kit"] for line in order["items"]] == [told] * 3
    ids = [line["orderItemId"] for line in order["items"]]
    assert order["kits"] == [{**told, "subtotal": 70.0, "discount": 0.0, "total": 70.0, "orderItemIds": ids}]
    kits = {line["kit"]["title"] for parcel in preview["parcels"] for line in parcel["lines"]}
    assert kits == {kit["title"]}
    assert (market.stock_of(camera).available, market.stock_of(film).available) == (8, 14)
    assert cart_of(market, buyer)["items"] == []


def test_each_component_is_taxed_in_its_own_class(market: Market, seller: Person, buyer: Person) -> None:
    book = market.product(seller, price=10.0, taxClass="books")
    mug = market.product(seller, price=10.0)
    kit = kit_of(market, seller, (book, 1), (mug, 1), price=15.01, taxClass="food")
    italy = {"street": "Via Roma 1", "city": "Milano", "state": "MI", "zipCode": "20121", "country": "IT"}

    order = placed(market, buyer, (kit, 1), shippingAddress=italy)

    shown = market.client.get(f"/api/v1/products/{kit['productId']}", params={"country": "IT"}).json()["tax"]
    taxes = {line["taxClass"]: line for line in order["items"]}
    assert set(taxes) == {"books", "standard"}
    assert taxes["books"]["taxRate"] < taxes["standard"]["taxRate"] == 0.22
    assert cents(shown["amount"]) == sum((cents(line["taxAmount"]) for line in order["items"]), Decimal(0))
    assert [cents(line["price"]) for line in order["items"]] == [Decimal("7.51"), Decimal("7.50")]


def test_a_promotion_of_the_kit_is_shared_by_its_lines(market: Market, seller: Person, buyer: Person) -> None:
    first, second = market.product(seller, price=7.0), market.product(seller, price=5.0)
    kit = kit_of(market, seller, (first, 1), (second, 2), price=14.99)
    promote(market, seller, "KIT-TENTH", productId=kit["productId"])

    order = placed(market, buyer, (kit, 1), (first, 1), couponCodes=["kit-tenth"])

    (group,) = order["kits"]
    assert (group["subtotal"], group["discount"], group["total"]) == (14.99, 1.5, 13.49)
    assert order["discount"] == 1.5
    alone = [line for line in bought(order, first) if line["kit"] is None]
    assert [(line["price"], line["discount"]) for line in alone] == [(7.0, 0.0)]
    assert all(line["promotion"] == "Ten off" for line in order["items"] if line["kit"])


def test_a_kit_and_its_component_take_from_the_same_units(market: Market, seller: Person, buyer: Person) -> None:
    first, second = market.product(seller, stock=5), market.product(seller, stock=50)
    kit = kit_of(market, seller, (first, 2), (second, 1))

    refused = problem(market.buy(buyer, market.order_body((kit, 2), (first, 2))), 409, "out-of-stock")

    short = [{"variantId": variant_of(first), "requested": 6, "available": 5}]
    assert sorted(refused["items"], key=lambda one: one["requested"] == 2 and "components" in one) == [
        {"variantId": variant_of(first), "productId": first["productId"], "requested": 2, "available": 5},
        {
            "variantId": variant_of(kit),
            "productId": kit["productId"],
            "requested": 2,
            "available": 2,
            "components": short,
        },
    ]
    into_cart(market, buyer, kit, 2)
    into_cart(market, buyer, first, 2)
    cart = cart_of(market, buyer)
    assert [(one["available"], one["unavailable"]) for one in cart["items"]] == [
        (True, None),
        (False, "the lines before it leave 1"),
    ]
    assert cart["subtotal"] == 20.0
    item = cart["items"][1]["cartItemId"]
    fewer = market.client.put(f"/api/v1/cart/items/{item}", json={"quantity": 1}, headers=buyer.headers)
    assert [one["available"] for one in fewer.json()["items"]] == [True, True]
    answer = market.buy(buyer, {**market.order_body(), "items": None})
    assert answer.status_code == 201, answer.text
    order = order_of(market, buyer, answer.json()["orderId"])
    assert market.stock_of(first).available == 0
    singles = [(line["kit"] is None, line["quantity"], line["price"]) for line in bought(order, first)]
    assert sorted(singles) == [(False, 2, 3.33), (False, 2, 3.34), (True, 1, 10.0)]


def test_a_kit_is_sent_in_the_parcels_of_its_components(market: Market, seller: Person, buyer: Person) -> None:
    here, there = market.product(seller, price=8.0), stocked_in_leeds(market, seller, 9, price=8.0)
    kit = kit_of(market, seller, (here, 1), (there, 1), price=12.0)

    order = placed(market, buyer, (kit, 3))

    assert sorted(len(parcel["lines"]) for parcel in order["parcels"]) == [1, 1]
    assert order["kits"][0]["total"] == 36.0
    seen = market.client.get(f"/api/v1/sellers/me/orders/{order['orderId']}", headers=seller.headers).json()
    kits = {line["kit"]["title"] for parcel in seen["parcels"] for line in parcel["lines"]}
    assert kits == {kit["title"]}


def test_kits_go_to_several_addresses(market: Market, seller: Person, buyer: Person) -> None:
    first, second = market.product(seller, price=7.0, stock=20), market.product(seller, price=4.0, stock=20)
    kit = kit_of(market, seller, (first, 1), (second, 2), price=10.01)
    gift = {"shippingAddress": PORTUGAL, "lines": [{"variantId": variant_of(kit), "quantity": 2}]}

    order = placed(market, buyer, (kit, 3), (first, 1), destinations=[gift])

    (group,) = order["kits"]
    assert (group["quantity"], group["total"]) == (3, 30.03)
    countries = Counter(parcel["shippingAddress"]["country"] for parcel in order["parcels"])
    assert countries == {"US": 1, "PT": 1}


def test_components_are_returned_singly_at_their_price(market: Market, seller: Person, buyer: Person) -> None:
    camera, film = market.product(seller, price=30.0), market.product(seller, price=3.33, stock=20)
    kit = kit_of(market, seller, (camera, 1), (film, 3), price=35.0)
    order = placed(market, buyer, (kit, 1))
    market.deliver(seller, order["orderId"])
    last = bought(order, film)[-1]

    asked = {"items": [{"orderItemId": last["orderItemId"], "quantity": 1}], "reasonCode": "no_longer_needed"}
    returned = market.post(buyer, f"{order['orderId']}/return", asked)
    assert returned.status_code in {200, 201}, returned.text
    approved = market.post(seller, f"{order['orderId']}/return/decision", {"approve": True})

    assert approved.status_code == 200, approved.text
    tax = cents(last["taxAmount"])
    assert cents(approved.json()["refundAmount"]) == cents(last["price"]) + tax
    again = order_of(market, buyer, order["orderId"])
    assert again["kits"] == order["kits"]
    assert again["status"] == "delivered"


def test_all_units_of_a_kit_that_are_cancelled_give_all_of_it_back(
    market: Market, seller: Person, buyer: Person
) -> None:
    first, second = market.product(seller, price=7.0), market.product(seller, price=5.0)
    kit = kit_of(market, seller, (first, 1), (second, 3), price=14.99)
    other = market.product(seller, price=1.0)
    order = placed(market, buyer, (kit, 1), (other, 1))
    back = Decimal(0)

    for line in order["items"]:
        if line["kit"] is not None:
            path = f"{order['orderId']}/items/{line['orderItemId']}/cancel"
            answer = market.post(buyer, path, {"quantity": line["quantity"]})
            assert answer.status_code == 200, answer.text
            back += cents(answer.json()["refundAmount"])

    tax = sum((cents(line["taxAmount"]) for line in order["items"] if line["kit"]), Decimal(0))
    assert back == Decimal("14.99") + tax
    assert (market.stock_of(first).available, market.stock_of(second).available) == (10, 10)


def test_an_edit_takes_components_off_and_adds_no_kit(market: Market, seller: Person, buyer: Person) -> None:
    first, second = market.product(seller, price=7.0), market.product(seller, price=5.0)
    kit = kit_of(market, seller, (first, 1), (second, 2), price=15.0)
    order = placed(market, buyer, (kit, 1))
    edits = f"{order['orderId']}/edits"

    refused = market.post(buyer, edits, {"add": [{"variantId": variant_of(kit), "quantity": 1}]})
    assert [e["pointer"] for e in problem(refused, 422, "not-orderable")["errors"]] == ["/add/0/variantId"]
    (line,) = bought(order, first)
    staged = market.post(buyer, edits, {"lines": [{"orderItemId": line["orderItemId"], "quantity": 0}]})
    assert staged.status_code == 201, staged.text
    change = next(one for one in staged.json()["changes"] if one["kind"] == "removed")
    assert cents(change["amount"]) == -(cents(line["subtotal"]) + cents(line["taxAmount"]))
    total = staged.json()["newTotal"]
    done = market.post(buyer, f"{edits}/{staged.json()['editId']}/commit", {"expectedTotal": total})
    assert done.status_code == 200, done.text


def test_what_was_bought_stays_when_the_kit_is_another(market: Market, seller: Person, buyer: Person) -> None:
    first, second, third = (market.product(seller, price=price) for price in (7.0, 5.0, 3.0))
    kit = kit_of(market, seller, (first, 1), (second, 2), price=15.0)
    order = placed(market, buyer, (kit, 1))
    body = {"title": "Another", "price": 99.0}
    parts = {"variantId": variant_of(kit), "components": made_of((third, 1), (first, 9))}
    url = f"/api/v1/products/{kit['productId']}"
    changed = market.client.patch(url, json={**body, "variants": [parts]}, headers=seller.headers)
    assert changed.status_code == 200, changed.text

    assert order_of(market, buyer, order["orderId"]) == order
    again = market.client.post(f"/api/v1/orders/{order['orderId']}/buy-again", headers=buyer.headers)
    assert [(one["variantId"], one["added"]) for one in again.json()["items"]] == [(variant_of(kit), 1)]
    lines = cart_of(market, buyer)["items"]
    assert [(one["variant"]["variantId"], one["price"]) for one in lines] == [(variant_of(kit), 99.0)]
    assert (
        market.client.delete(f"/api/v1/cart/items/{lines[0]['cartItemId']}", headers=buyer.headers).status_code == 200
    )


def test_more_of_a_kit_than_there_is_can_be_backordered_as_its_components(
    market: Market, seller: Person, buyer: Person
) -> None:
    first, second = market.product(seller, stock=1), market.product(seller, stock=9)
    kit = kit_of(market, seller, (first, 1), (second, 1))
    there = market.scalar("select warehouse_id from warehouse_stock where variant_id = %s", (variant_of(first),))
    limit = f"/api/v1/inventory/variants/{variant_of(first)}/warehouses/{there}/backorders"
    allowed = market.client.put(limit, json={"limit": 2, "days": 5}, headers=seller.headers)
    assert allowed.status_code == 200, allowed.text
    into_cart(market, buyer, kit, 2)
    seen = cart_of(market, buyer)
    assert [(one["available"], one["backordered"]) for one in seen["items"]] == [(True, 1)]

    answer = market.buy(buyer, {**market.order_body(), "items": None, "expectedTotal": seen["total"]})

    assert answer.status_code == 201, answer.text
    order = order_of(market, buyer, answer.json()["orderId"])
    assert sorted(parcel["status"] for parcel in order["parcels"]) == ["backordered", "confirmed"]
    assert order["kits"][0]["total"] == 20.0


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("kits"), env) as parent:
        yield parent


def test_kits_and_components_in_a_crowd_never_oversell(
    fleet: Fleet, database_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """50 buyers of a kit, of its components, of another kit of them in the opposite order, and of all together."""
    apis: list[Server] = [fleet.api() for _ in range(2)]
    market = Market(apis[0], database_url, sandbox)
    seller = market.person("seller")
    first, second = market.product(seller, stock=30), market.product(seller, stock=40)
    kit, other = kit_of(market, seller, (first, 1), (second, 2)), kit_of(market, seller, (second, 1), (first, 2))
    bodies = [
        market.order_body((kit, 1)),
        market.order_body((other, 1)),
        market.order_body((second, 1), (first, 1)),
        market.order_body((kit, 1), (first, 1)),
        market.order_body((other, 1), (kit, 1)),
    ]

    counted = rush([(apis[n % 2].url, bodies[n % 5], f"{tmp_path.name}-kits-{n}") for n in range(50)])

    print(f"50 buyers of kits and components: {dict(counted)}")
    assert set(counted) == {(201, ""), (409, "/problems/out-of-stock")}
    sold = (
        "select coalesce(sum(i.quantity), 0) from order_items i join orders o using (order_id)"
        " where variant_id = %s and o.status = 'confirmed'"
    )
    for product, stock in ((first, 30), (second, 40)):
        left = market.stock_of(product)
        assert (left.available + market.scalar(sold, (variant_of(product),)), left.reserved) == (stock, 0)
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert market.scalar(deadlocks) == 0
    market.close()
