"""A buyer's orders: what was bought in the words of then, filters, pages of a long history, and buying again."""

from typing import Any

import pytest

from api.orders.queries import listing
from tests.harness.buying import Market
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem

LONG = 4_500


def _orders(market: Market, who: Person, path: str = "me", **query: Any) -> list[dict[str, Any]]:
    """Every order of all pages."""
    found: list[dict[str, Any]] = []
    while True:
        answer = market.client.get(f"/api/v1/users/{path}/orders", params=query, headers=who.headers)
        assert answer.status_code == 200, answer.text
        found += answer.json()["orders"]
        cursor = answer.json()["pagination"]["nextCursor"]
        if cursor is None:
            return found
        query["cursor"] = cursor


@pytest.fixture(scope="module")
def history(market: Market, seller: Person) -> tuple[Person, list[str], list[dict[str, Any]]]:
    """A buyer with three orders, the oldest first, and their products."""
    buyer = market.person()
    titles = ("Blue teapot 100%", "Espresso machine", "Red tea_pot")
    products = [market.product(seller, stock=20, title=title, price=20.0) for title in titles]
    placed = []
    for number, product in enumerate(products):
        lines = ((product, 2), (products[0], 1)) if number == 1 else ((product, 2),)
        answer = market.buy(buyer, market.order_body(*lines))
        assert answer.status_code == 201, answer.text
        placed.append(answer.json()["orderId"])
        day = ("2026-01-31T23:59:59", "2026-02-01T00:00:00", "2026-03-05T12:00:00")[number]
        market.sql.execute("update orders set created_at = %s where order_id = %s", (f"{day}Z", placed[-1]))
    assert market.post(buyer, f"{placed[2]}/cancel").status_code == 200
    return buyer, placed, products


def test_a_list_says_what_was_bought_in_the_words_and_pictures_of_then(
    market: Market, history: tuple[Person, list[str], list[dict[str, Any]]]
) -> None:
    buyer, placed, _ = history
    shown = _orders(market, buyer)
    assert [order["orderId"] for order in shown] == placed[::-1]
    assert shown == _orders(market, buyer, buyer.user_id)
    (item,) = shown[2]["items"]
    whole = market.client.get(f"/api/v1/orders/{placed[0]}", headers=buyer.headers).json()["items"][0]
    assert item == {name: whole[name] for name in item}
    assert (item["title"], item["quantity"], item["subtotal"]) == ("Blue teapot 100%", 2, 40.0)
    assert item["imageUrl"] is not None
    assert [len(order["items"]) for order in shown] == [1, 2, 1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "cancelled"}, [2]),
        ({"status": "confirmed"}, [1, 0]),
        ({"from": "2026-02-01"}, [2, 1]),
        ({"to": "2026-01-31"}, [0]),
        ({"from": "2026-02-01", "to": "2026-02-01"}, [1]),
        ({"q": "TEAPOT"}, [1, 0]),
        ({"q": "pot"}, [2, 1, 0]),
        ({"q": "blue teapot"}, [1, 0]),
        ({"q": "espresso teapot"}, []),
        ({"q": "100%"}, [1, 0]),
        ({"q": "a_p"}, [2]),
        ({"q": "te%pot"}, []),
        ({"q": "  "}, [2, 1, 0]),
        ({"q": "pot", "status": "confirmed", "from": "2026-02-01"}, [1]),
    ],
)
def test_filters(
    market: Market,
    history: tuple[Person, list[str], list[dict[str, Any]]],
    query: dict[str, str],
    expected: list[int],
) -> None:
    buyer, placed, _ = history
    assert [order["orderId"] for order in _orders(market, buyer, **query)] == [placed[n] for n in expected]


def test_an_order_is_found_by_how_its_number_begins(
    market: Market, history: tuple[Person, list[str], list[dict[str, Any]]]
) -> None:
    buyer = history[0]
    for order in _orders(market, buyer):
        assert _orders(market, buyer, q=order["orderNumber"][:11]) == [order]


def test_only_the_member_and_an_administrator_see_the_list(
    market: Market, seller: Person, history: tuple[Person, list[str], list[dict[str, Any]]]
) -> None:
    buyer = history[0]
    path = f"/api/v1/users/{buyer.user_id}/orders"
    problem(market.client.get(path, headers=seller.headers), 404, "order-not-found")
    problem(market.client.get("/api/v1/users/me/orders"), 401, "not-authenticated")
    for wrong in ({"q": "x" * 101}, {"from": "yesterday"}, {"until": "2026-01-01"}):
        answer = market.client.get("/api/v1/users/me/orders", params=wrong, headers=buyer.headers)
        problem(answer, 422, "validation-failed")


def test_a_page_of_a_long_history_looks_at_two_thousand_orders_and_the_next_goes_on(
    market: Market, seller: Person
) -> None:
    buyer = market.person()
    product = market.product(seller, title="Needle", price=20.0)
    needle = market.buy(buyer, market.order_body((product, 1))).json()["orderId"]
    _copy(market, needle, LONG)
    pages = []
    query: dict[str, Any] = {"q": "needle"}
    while True:
        body = market.client.get("/api/v1/users/me/orders", params=query, headers=buyer.headers).json()
        pages.append([order["orderId"] for order in body["orders"]])
        if not body["pagination"]["hasMore"]:
            break
        query["cursor"] = body["pagination"]["nextCursor"]
    assert pages == [[], [], [needle]]
    assert listing.LOOKED_AT == 2_000
    hay = market.client.get("/api/v1/users/me/orders", params={"q": "hay"}, headers=buyer.headers).json()
    assert (len(hay["orders"]), hay["pagination"]["total"]) == (20, None)
    market.sql.execute("delete from order_items where title = 'Hay'")
    market.sql.execute("delete from orders where order_number like 'copy-%'")


def _copy(market: Market, order_id: str, number: int) -> None:
    """So many later orders of the same buyer, of hay."""
    market.sql.execute(
        "insert into orders select c.* from orders o, generate_series(1, %s) n, jsonb_populate_record(o,"
        " jsonb_build_object('order_id', gen_random_uuid(), 'order_number', 'copy-' || n, 'created_at',"
        " o.created_at + n * interval '1 second')) c where o.order_id = %s",
        (number, order_id),
    )
    market.sql.execute(
        "insert into order_items select c.* from order_items i, orders o, jsonb_populate_record(i, jsonb_build_object("
        "'order_item_id', gen_random_uuid(), 'order_id', o.order_id, 'title', 'Hay', 'parcel_id', null)) c"
        " where i.order_id = %s and o.order_number like 'copy-%%'",
        (order_id,),
    )


def _again(market: Market, order_id: str, headers: dict[str, str]) -> list[tuple[int, str | None]]:
    answer = market.client.post(f"/api/v1/orders/{order_id}/buy-again", headers=headers)
    assert answer.status_code == 200, answer.text
    return [(item["added"], item["reason"]) for item in answer.json()["items"]]


def _cart(market: Market, headers: dict[str, str]) -> dict[str, int]:
    items = market.client.get("/api/v1/cart", headers=headers).json()["items"]
    return {item["product"]["title"]: item["quantity"] for item in items}


def test_buying_again_brings_what_is_there_once_and_says_what_is_not(market: Market, seller: Person) -> None:
    buyer = market.person()
    plenty, few, none, gone = (
        market.product(seller, stock=20, title=title, price=20.0) for title in ("Plenty", "Few", "None", "Gone")
    )
    answer = market.buy(buyer, market.order_body((plenty, 3), (few, 3), (none, 3), (gone, 3)))
    order_id = answer.json()["orderId"]
    market.stock(few["variants"][0]["variantId"], 2)
    market.stock(none["variants"][0]["variantId"], 0)
    assert market.client.delete(f"/api/v1/products/{gone['productId']}", headers=seller.headers).status_code == 204
    line = {"productId": plenty["productId"], "variantId": plenty["variants"][0]["variantId"], "quantity": 1}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201

    first, second = _again(market, order_id, buyer.headers), _again(market, order_id, buyer.headers)

    assert sorted(first, key=str) == sorted(
        [(2, None), (2, "fewer in stock"), (0, "sold out"), (0, "withdrawn")], key=str
    )
    assert sorted(second, key=str) == sorted(
        [(0, None), (0, "fewer in stock"), (0, "sold out"), (0, "withdrawn")], key=str
    )
    assert _cart(market, buyer.headers) == {"Plenty": 3, "Few": 2}
    for other in (seller.headers, market.person().headers):
        problem(market.client.post(f"/api/v1/orders/{order_id}/buy-again", headers=other), 404, "order-not-found")
    problem(market.client.post("/api/v1/orders/x/buy-again", headers=buyer.headers), 404, "order-not-found")


def test_buying_again_offers_what_page_and_cart_offer_backorders_included(market: Market, seller: Person) -> None:
    buyer = market.person()
    products = [market.product(seller, stock=20, title=title, price=20.0) for title in ("All later", "Some later")]
    order_id = market.buy(buyer, market.order_body(*((product, 3) for product in products))).json()["orderId"]
    for product, stock, limit in zip(products, (0, 1), (9, 1), strict=True):
        variant = product["variants"][0]["variantId"]
        market.stock(variant, stock)
        allowed = "update warehouse_stock set backorder_limit = %s where variant_id = %s"
        market.sql.execute(allowed, (limit, variant))

    assert sorted(_again(market, order_id, buyer.headers), key=str) == [(2, "fewer in stock"), (3, None)]
    cart = market.client.get("/api/v1/cart", headers=buyer.headers).json()["items"]
    shown = {one["product"]["title"]: (one["quantity"], one["backordered"], one["available"]) for one in cart}
    assert shown == {"All later": (3, 3, True), "Some later": (2, 1, True)}


def test_a_guest_buys_again_with_their_session(market: Market, seller: Person) -> None:
    guest = guest_headers()
    product = market.product(seller, title="For a guest", price=20.0)
    answer = market.buy(guest, market.order_body((product, 2), email="guest@example.com"))
    assert _again(market, answer.json()["orderId"], guest) == [(2, None)]
    assert _cart(market, guest) == {"For a guest": 2}
