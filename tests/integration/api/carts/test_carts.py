"""Carts over HTTP: members and guests, merging, and lines that are not what they were."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.carts.jobs import expire_carts
from api.kernel.context import open_context
from api.kernel.settings import Settings
from tests.harness.sessions import guest_headers, guest_session
from tests.harness.shop import PASSWORD, Person, Shop, problem

LINE = {
    "cartItemId", "product", "variant", "quantity", "price", "lowestPrice30d", "priceWhenAdded", "priceChanged",
    "subtotal", "currency", "available", "backordered", "discounts", "restriction", "minAge", "components",
    "unavailable",
}  # fmt: skip


@pytest.fixture(scope="module")
def seller(shop: Shop) -> Person:
    return shop.person("seller")


def _item(product: dict[str, Any], quantity: int = 1) -> dict[str, Any]:
    return {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": quantity}


def _session() -> dict[str, str]:
    return guest_headers()


def _add(shop: Shop, headers: dict[str, str], product: dict[str, Any], quantity: int = 1) -> httpx.Response:
    # A client without a cookie jar: who asks is decided by the headers alone.
    return httpx.post(
        f"{shop.client.base_url}/api/v1/cart/items", json=_item(product, quantity), headers=headers, trust_env=False
    )


def _cart(shop: Shop, headers: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = httpx.get(f"{shop.client.base_url}/api/v1/cart", headers=headers, trust_env=False).json()
    return body


def test_a_cart_is_the_seeds_body_with_exact_totals(shop: Shop, seller: Person) -> None:
    person = shop.person()
    product = shop.product(seller, price=999.99, listPrice=1049.99, brand="Apple")

    answer = _add(shop, person.headers, product, 2)

    assert answer.status_code == 201
    cart = answer.json()
    assert cart == _cart(shop, person.headers)
    assert cart.keys() == {
        "cartId",
        "items",
        "itemCount",
        "currency",
        "subtotal",
        "tax",
        "shipping",
        "total",
        "savings",
        "taxIncluded",
        "explanation",
        "discount",
        "coupons",
        "shippingTo",
        "delivery",
        "deliveryOptions",
    }
    assert cart["explanation"] == [
        {"kind": "goods", "text": f"2 x {product['title']}", "amount": 1999.98, "included": False},
        {"kind": "shipping", "text": "shipping: free from 35.00", "amount": 0.0, "included": False},
        {"kind": "tax", "text": "tax 8 %", "amount": 160.0, "included": False},
    ]
    assert cart["shippingTo"] == {"country": "US", "state": None}
    assert cart["deliveryOptions"] == [cart["delivery"]] == product["shipping"]["options"]
    (line,) = cart["items"]
    assert line.keys() == LINE
    assert line["product"] == {
        "productId": product["productId"], "title": product["title"], "titleLanguage": None, "brand": "Apple",
        "thumbnail": f"/api/v1/products/{product['productId']}/image.svg",
        "primeEligible": False, "condition": "new", "kind": "physical",
    }  # fmt: skip
    assert line["variant"]["variantId"] == product["variants"][0]["variantId"]
    assert (line["quantity"], line["price"], line["subtotal"], line["available"]) == (2, 999.99, 1999.98, True)
    assert (cart["subtotal"], cart["tax"], cart["shipping"], cart["total"], cart["savings"]) == (
        1999.98,
        160.0,
        0.0,
        2159.98,
        100.0,
    )
    assert shop.sql.execute(
        "select i.quantity, i.price_at_addition::text from cart_items i join carts using (cart_id) where user_id = %s",
        (person.user_id,),
    ).fetchall() == [(2, "999.99")]


def test_adding_again_adds_up_and_put_sets(shop: Shop, seller: Person) -> None:
    person, product = shop.person(), shop.product(seller)
    _add(shop, person.headers, product, 2)

    line = _add(shop, person.headers, product, 3).json()["items"][0]
    assert line["quantity"] == 5

    url = f"/api/v1/cart/items/{line['cartItemId']}"
    changed = shop.client.put(url, json={"quantity": 4}, headers=person.headers)
    assert (changed.status_code, changed.json()["items"][0]["quantity"]) == (200, 4)

    emptied = shop.client.delete(url, headers=person.headers)
    assert (emptied.status_code, emptied.json()["items"], emptied.json()["total"]) == (200, [], 0.0)
    problem(shop.client.delete(url, headers=person.headers), 404, "cart-item-not-found")


def test_a_guest_without_a_session_gets_one_as_cookie_and_header(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)
    with httpx.Client(base_url=shop.client.base_url, trust_env=False) as browser:
        first = browser.get("/api/v1/cart")
        empty = first.json()
        assert (empty["cartId"], empty["items"], empty["total"]) == (None, [], 0.0)

        added = browser.post("/api/v1/cart/items", json=_item(product))

        cookie = first.headers["set-cookie"]
        session = first.headers["x-session-id"]
        assert {"set-cookie", "x-session-id"}.isdisjoint(added.headers)
        assert cookie.startswith(f"souk_session={session};")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert len(browser.get("/api/v1/cart").json()["items"]) == 1
    assert len(_cart(shop, {"X-Session-Id": session})["items"]) == 1


def test_carts_of_others_are_out_of_reach(shop: Shop, seller: Person) -> None:
    product = shop.product(seller)
    owner, other = shop.person(), shop.person()
    line = _add(shop, owner.headers, product).json()["items"][0]
    url = f"{shop.client.base_url}/api/v1/cart/items/{line['cartItemId']}"

    for headers in (other.headers, _session(), {}):
        problem(httpx.put(url, json={"quantity": 9}, headers=headers, trust_env=False), 404, "cart-item-not-found")
        problem(httpx.delete(url, headers=headers, trust_env=False), 404, "cart-item-not-found")

    assert _cart(shop, owner.headers)["items"][0]["quantity"] == 1
    assert _cart(shop, other.headers)["items"] == []


@pytest.mark.parametrize("how", ["login", "register"])
def test_a_guests_cart_is_merged_when_they_sign_in(shop: Shop, seller: Person, how: str) -> None:
    both, only_guest = shop.product(seller), shop.product(seller)
    person, session = shop.person(), _session()
    _add(shop, session, both, 998)
    _add(shop, session, only_guest, 1)
    if how == "login":
        _add(shop, person.headers, both, 3)
        body = {"email": person.email, "password": PASSWORD}
    else:
        body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "name": "New"}

    token = shop.client.post(f"/api/v1/auth/{how}", json=body, headers=session).json()["accessToken"]

    cart = _cart(shop, {"Authorization": f"Bearer {token}"})
    quantities = {line["product"]["productId"]: line["quantity"] for line in cart["items"]}
    assert quantities == {both["productId"]: 999 if how == "login" else 998, only_guest["productId"]: 1}
    assert _cart(shop, session)["items"] == []
    assert shop.scalar("select count(*) from carts where session_id = %s", (session["X-Session-Id"],)) == 0


def test_lines_say_when_price_or_stock_changed_and_only_available_ones_are_charged(shop: Shop, seller: Person) -> None:
    person = shop.person()
    dearer, sold_out, withdrawn, same = (shop.product(seller, stock=5, price=40.0) for _ in range(4))
    for product in (dearer, sold_out, withdrawn, same):
        _add(shop, person.headers, product, 2)
    shop.client.patch(f"/api/v1/products/{dearer['productId']}", json={"price": 50.0}, headers=seller.headers)
    shop.stock(sold_out["variants"][0]["variantId"], 1)
    shop.client.delete(f"/api/v1/products/{withdrawn['productId']}", headers=seller.headers)

    cart = _cart(shop, person.headers)

    flags = {
        line["product"]["productId"]: (line["available"], line["priceChanged"], line["price"]) for line in cart["items"]
    }
    assert flags == {
        dearer["productId"]: (True, True, 50.0),
        sold_out["productId"]: (False, False, 40.0),
        withdrawn["productId"]: (False, False, 40.0),
        same["productId"]: (True, False, 40.0),
    }
    assert cart["items"][0]["priceWhenAdded"] == 40.0
    assert (cart["subtotal"], cart["tax"], cart["shipping"], cart["total"]) == (180.0, 14.4, 0.0, 194.4)


def _price(shop: Shop, seller: Person, product: dict[str, Any], price: float) -> None:
    path = f"/api/v1/products/{product['productId']}"
    assert shop.client.patch(path, json={"price": price}, headers=seller.headers).status_code == 200


def _flag(cart: dict[str, Any], line: int = 0) -> tuple[float, float, bool]:
    """(price, price when added, whether it is flagged) of a line."""
    item = cart["items"][line]
    return item["price"], item["priceWhenAdded"], item["priceChanged"]


def test_a_changed_price_is_flagged_until_the_cart_has_shown_it(shop: Shop, seller: Person) -> None:
    person, product, other = shop.person(), shop.product(seller, price=10.0), shop.product(seller)
    _add(shop, person.headers, product)
    _price(shop, seller, product, 99.0)

    assert _flag(_add(shop, person.headers, product).json()) == (99.0, 10.0, True), "more units do not hide it"
    assert _flag(_add(shop, person.headers, other).json()) == (99.0, 10.0, True), "nor does another line"
    assert _flag(_cart(shop, person.headers)) == (99.0, 10.0, True)
    assert _flag(_cart(shop, person.headers)) == (99.0, 10.0, False), "the buyer has seen it"

    assert _flag(_add(shop, person.headers, product).json()) == (99.0, 10.0, True), "shown again with more units"
    assert _flag(_cart(shop, person.headers)) == (99.0, 10.0, True)
    assert _flag(_cart(shop, person.headers)) == (99.0, 10.0, False)
    _price(shop, seller, product, 10.0)
    assert _flag(_cart(shop, person.headers)) == (10.0, 10.0, True), "back again is a change too"
    assert _flag(_cart(shop, person.headers)) == (10.0, 10.0, False)


def test_what_was_seen_of_a_price_is_seen_line_by_line_and_on_every_device(shop: Shop, seller: Person) -> None:
    person, first, second = shop.person(), shop.product(seller, price=10.0), shop.product(seller, price=10.0)
    for product in (first, second):
        added = _add(shop, person.headers, product)
    _price(shop, seller, first, 20.0)
    shown = shop.client.get("/api/v1/cart", headers=person.headers)
    _price(shop, seller, second, 30.0)

    tag = {"If-None-Match": shown.headers["etag"]}
    again = shop.client.get("/api/v1/cart", headers={**person.headers, **tag})

    assert (shown.headers["etag"].split("-")[0], again.status_code) == (added.headers["etag"].split("-")[0], 200)
    assert [_flag(again.json(), line) for line in (0, 1)] == [(20.0, 10.0, False), (30.0, 10.0, True)]


def test_a_guests_changed_prices_stay_flagged_when_they_sign_in(shop: Shop, seller: Person) -> None:
    person, product, seen = shop.person(), shop.product(seller, price=10.0), shop.product(seller, price=10.0)
    session = _session()
    _add(shop, session, product)
    _add(shop, session, seen)
    _price(shop, seller, seen, 20.0)
    _cart(shop, session)
    _price(shop, seller, product, 99.0)

    body = {"email": person.email, "password": PASSWORD}
    token = shop.client.post("/api/v1/auth/login", json=body, headers=session).json()["accessToken"]

    cart = _cart(shop, {"Authorization": f"Bearer {token}"})
    flags = {item["product"]["productId"]: item["priceChanged"] for item in cart["items"]}
    assert flags == {product["productId"]: True, seen["productId"]: False}


def test_shipping_is_charged_below_the_threshold(shop: Shop, seller: Person) -> None:
    person = shop.person()

    cart = _add(shop, person.headers, shop.product(seller, price=10.0)).json()

    assert (cart["subtotal"], cart["tax"], cart["shipping"], cart["total"]) == (10.0, 0.8, 4.99, 15.79)


@pytest.mark.parametrize("quantity", [0, -1, 1000, 10**30, 1.5, "1", None, True])
def test_quantities_are_whole_numbers_from_1_to_999(shop: Shop, seller: Person, quantity: Any) -> None:
    person, product = shop.person(), shop.product(seller)

    answer = shop.client.post(
        "/api/v1/cart/items", json={**_item(product), "quantity": quantity}, headers=person.headers
    )

    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"] == "/quantity"
    assert _cart(shop, person.headers)["items"] == []


def test_a_line_never_passes_999(shop: Shop, seller: Person) -> None:
    person, product = shop.person(), shop.product(seller)
    _add(shop, person.headers, product, 999)

    problem(_add(shop, person.headers, product, 1), 422, "quantity-too-large")

    assert _cart(shop, person.headers)["items"][0]["quantity"] == 999


def test_what_is_not_on_sale_or_does_not_belong_together_is_not_found(shop: Shop, seller: Person) -> None:
    person = shop.person()
    one, two = shop.product(seller), shop.product(seller)
    mixed = {**_item(one), "variantId": two["variants"][0]["variantId"]}
    shop.client.delete(f"/api/v1/products/{two['productId']}", headers=seller.headers)

    for body in (mixed, _item(two), {**_item(one), "variantId": str(uuid4())}):
        problem(shop.client.post("/api/v1/cart/items", json=body, headers=person.headers), 404, "variant-not-found")
    assert shop.scalar("select count(*) from carts where user_id = %s", (person.user_id,)) == 0


def test_the_tag_guards_against_another_devices_change(shop: Shop, seller: Person) -> None:
    person, product = shop.person(), shop.product(seller)
    added = _add(shop, person.headers, product)
    url = f"/api/v1/cart/items/{added.json()['items'][0]['cartItemId']}"
    seen = added.headers["etag"]
    assert shop.client.get("/api/v1/cart", headers={**person.headers, "If-None-Match": seen}).status_code == 304

    first = shop.client.put(url, json={"quantity": 2}, headers={**person.headers, "If-Match": seen})
    late = shop.client.put(url, json={"quantity": 3}, headers={**person.headers, "If-Match": seen})

    assert first.status_code == 200
    problem(late, 412, "cart-changed")
    assert _cart(shop, person.headers)["items"][0]["quantity"] == 2


def test_concurrent_adds_all_count(shop: Shop, seller: Person) -> None:
    session, product = _session(), shop.product(seller)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: _add(shop, session, product).status_code, range(24)))

    assert statuses == [201] * 24
    assert _cart(shop, session)["items"][0]["quantity"] == 24


@pytest.mark.parametrize("session", ["8letters", "short", "has space in it", "x" * 129, "semi;colon;", "tampered"])
def test_a_session_id_that_the_shop_never_issued_opens_nothing_and_a_new_one_is_given(
    shop: Shop, seller: Person, session: str
) -> None:
    product = shop.product(seller)
    if session == "tampered":
        known = guest_session()
        _add(shop, {"X-Session-Id": known}, product)
        session = known[:-1] + ("A" if known[-1] != "A" else "B")

    for headers in ({"X-Session-Id": session}, {"Cookie": f'souk_session="{session}"'}):
        added = _add(shop, headers, product)
        given = added.headers["x-session-id"]
        assert (added.status_code, _cart(shop, headers)["items"]) == (201, [])
        assert given != session
        assert [line["quantity"] for line in _cart(shop, {"X-Session-Id": given})["items"]] == [1]
    assert shop.scalar("select count(*) from carts where session_id = %s", (session,)) == 0


def test_a_sign_in_replaces_the_session_so_that_a_planted_one_shows_nothing_of_what_follows(
    shop: Shop, seller: Person
) -> None:
    planted, product = guest_session(), shop.product(seller)
    person = shop.person()
    body = {"email": person.email, "password": PASSWORD}
    _add(shop, {"X-Session-Id": planted}, product)
    with httpx.Client(base_url=shop.client.base_url, headers={"X-Session-Id": planted}, trust_env=False) as client:
        refused = client.post("/api/v1/auth/login", json={**body, "password": "wrong"})
        renewed = client.post("/api/v1/auth/login", json=body).headers["x-session-id"]
    assert renewed != planted
    assert (refused.status_code, "x-session-id" in refused.headers) == (401, False)

    _add(shop, {"X-Session-Id": renewed}, product)

    assert _cart(shop, {"X-Session-Id": planted})["items"] == []


async def test_expired_carts_are_swept_and_others_stay(
    shop: Shop, seller: Person, database_url: str, redis_url: str
) -> None:
    product = shop.product(seller)
    old, fresh = _session(), _session()
    _add(shop, old, product)
    _add(shop, fresh, product)
    shop.sql.execute(
        "update carts set expires_at = now() - interval '1 second' where session_id = %s", (old["X-Session-Id"],)
    )
    assert _cart(shop, old)["items"] == []

    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as context:
        assert await expire_carts(context) == 1

    assert shop.scalar("select count(*) from carts where session_id = %s", (old["X-Session-Id"],)) == 0
    assert len(_cart(shop, fresh)["items"]) == 1


async def test_a_cart_that_expires_with_something_in_it_was_abandoned_once(
    shop: Shop, seller: Person, database_url: str, redis_url: str
) -> None:
    product, person, guest = shop.product(seller), shop.person(), _session()
    abandoned = [_add(shop, headers, product, 3).json()["cartId"] for headers in (person.headers, guest)]
    third = _session()
    emptied = _add(shop, third, product)
    path = f"/api/v1/cart/items/{emptied.json()['items'][0]['cartItemId']}"
    assert shop.client.delete(path, headers=third).status_code == 200
    everything = [*abandoned, emptied.json()["cartId"]]
    expire = "update carts set expires_at = now() - interval '1 second' where cart_id = any(%s)"
    shop.sql.execute(expire, (everything,))

    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as one, open_context(settings) as another:
        assert sum(await asyncio.gather(expire_carts(one), expire_carts(another))) == 3

    events = shop.sql.execute(
        "select aggregate_id::text, event_type, sequence, payload from outbox_events"
        " where aggregate_type = 'cart' and aggregate_id = any(%s)",
        (everything,),
    ).fetchall()
    variant = product["variants"][0]["variantId"]
    items = [{"productId": product["productId"], "variantId": variant, "quantity": 3}]
    assert sorted(events) == sorted(
        (cart, "CartAbandoned", 1, {"cartId": cart, "userId": user, "items": items})
        for cart, user in zip(abandoned, (person.user_id, None), strict=True)
    )
    assert shop.scalar("select count(*) from carts where cart_id = any(%s)", (everything,)) == 0


def test_amounts_in_different_currencies_are_never_added(shop: Shop, seller: Person) -> None:
    who = _session()
    first, other = shop.product(seller, price=40.0), shop.product(seller, price=7.0)
    shop.sql.execute("update products set currency = 'EUR' where product_id = %s", (other["productId"],))
    for product in (first, other):
        assert shop.client.post("/api/v1/cart/items", json=_item(product), headers=who).status_code == 201

    cart = shop.client.get("/api/v1/cart", headers=who).json()

    assert [(line["currency"], line["price"], line["available"]) for line in cart["items"]] == [
        ("USD", 40.0, True),
        ("EUR", 7.0, False),
    ]
    assert (cart["currency"], cart["subtotal"], cart["itemCount"]) == ("USD", 40.0, 2)


def test_a_cart_worth_more_than_an_order_can_be_is_still_shown(shop: Shop, seller: Person) -> None:
    who = _session()
    product = shop.product(seller, stock=999, price=9_999_999_999.99)

    assert shop.client.post("/api/v1/cart/items", json=_item(product, 999), headers=who).status_code == 201

    cart = shop.client.get("/api/v1/cart", headers=who).json()
    assert cart["subtotal"] == cart["items"][0]["subtotal"] == 9_989_999_999_990.01
    assert cart["total"] == 10_789_199_999_989.21
