"""Placing an order over HTTP, end to end: the answer, the rows, the stock, the gateway's own ledger."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.harness.api import running_api
from tests.harness.buying import ADDRESS, SANDBOX_KEY, Market, Worker, buying_env, running_sandbox
from tests.harness.invariants import assert_invariants
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("orders")
    with running_sandbox(folder, stall_seconds=3) as sandbox:
        env = buying_env(sandbox, SOUK_GATEWAY_TIMEOUT_SECONDS="1", SOUK_CHECKOUT_LEASE_SECONDS="5")
        worker = Worker(folder, {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **env})
        with running_api(Path(folder), database_url, redis_url, **env) as server:
            worker.start()
            shop = Market(server, database_url, sandbox)
            yield shop
            shop.wait_until_settled()
            shop.close()
            worker.stop()
            assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


def test_an_order_is_placed_and_everything_agrees(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=5, price=999.99)
    answer = market.buy(buyer, market.order_body((product, 2)))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert sorted(body) == ["estimatedDelivery", "orderId", "orderNumber", "status", "total"]
    assert body["status"] == "confirmed"
    assert body["total"] == 2159.98
    there = market.client.get(f"/api/v1/products/{product['productId']}", params={"country": "US", "state": "IL"})
    assert body["estimatedDelivery"] == there.json()["shipping"]["standardTo"]
    assert answer.headers["location"] == f"/api/v1/orders/{body['orderId']}"

    assert market.stock_of(product) == (3, 0)
    payment = market.sql.execute("select * from payments where order_id = %s", (body["orderId"],)).fetchone()
    assert payment is not None
    key = market.scalar("select gateway_key from payments where order_id = %s", (body["orderId"],))
    entries = [(e["kind"], e["amount"]) for e in market.sandbox.ledger() if key in {e["key"], e["parentKey"]}]
    assert entries == [("authorisation", "2159.98"), ("capture", "2159.98")]

    seen = market.client.get(f"/api/v1/orders/{body['orderId']}", headers=buyer.headers).json()
    assert [step["toStatus"] for step in seen["history"]] == ["pending", "confirmed"]
    assert (seen["subtotal"], seen["tax"], seen["shipping"], seen["discount"], seen["total"]) == (
        1999.98,
        160.0,
        0.0,
        0.0,
        2159.98,
    )
    assert seen["payment"] == {"method": "credit_card", "status": "paid", "captured": 2159.98, "refunded": 0.0}
    assert seen["items"][0]["quantity"] == 2
    assert seen["shippingAddress"]["zipCode"] == "60601"
    events = market.sql.execute(
        "select event_type, sequence from outbox_events where aggregate_id = %s order by sequence", (body["orderId"],)
    ).fetchall()
    assert events == [("OrderCreated", 1), ("OrderPlaced", 2)]


def test_a_declined_card_changes_nothing_but_the_record(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=5)
    body = market.order_body((product, 2), token="pm_sandbox_declined")
    answer = market.buy(buyer, body, key="declined-1")
    assert problem(answer, 402, "payment-declined")["reason"] == "card_declined"
    assert market.buy(buyer, body, key="declined-1").content == answer.content
    assert market.stock_of(product) == (5, 0)
    orders = market.client.get(
        f"/api/v1/users/{buyer.user_id}/orders", params={"status": "cancelled"}, headers=buyer.headers
    ).json()
    row = market.sql.execute(
        "select o.payment_status, p.status, p.captured_amount from orders o join payments p using (order_id) where"
        " order_id = %s",
        (orders["orders"][0]["orderId"],),
    ).fetchone()
    assert row == ("declined", "declined", Decimal("0.00"))


def test_a_gateway_that_stalls_after_holding_the_money_is_asked_again(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=5)
    answer = market.buy(buyer, market.order_body((product, 1), token="pm_sandbox_timeout"))
    assert answer.status_code == 201, answer.text
    key = market.scalar("select gateway_key from payments where order_id = %s", (answer.json()["orderId"],))
    assert [e["kind"] for e in market.sandbox.ledger() if key in {e["key"], e["parentKey"]}] == [
        "authorisation",
        "capture",
    ]


def test_too_little_stock_names_the_items(market: Market, seller: Person, buyer: Person) -> None:
    scarce, plenty = market.product(seller, stock=1), market.product(seller, stock=9)
    answer = market.buy(buyer, market.order_body((scarce, 2), (plenty, 1)))
    variant = scarce["variants"][0]["variantId"]
    assert problem(answer, 409, "out-of-stock")["items"] == [
        {"variantId": variant, "productId": scarce["productId"], "requested": 2, "available": 1}
    ]
    assert market.stock_of(scarce) == (1, 0)
    assert market.stock_of(plenty) == (9, 0)


def test_two_lines_of_one_variant_are_checked_together(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=3)
    problem(market.buy(buyer, market.order_body((product, 2), (product, 2))), 409, "out-of-stock")
    assert market.buy(buyer, market.order_body((product, 1), (product, 2))).status_code == 201
    assert market.stock_of(product) == (0, 0)


def test_a_changed_total_is_refused_and_the_key_stays_usable(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=3, price=50.0)
    answer = market.buy(buyer, market.order_body((product, 1), expectedTotal=49.99))
    assert problem(answer, 409, "total-changed")["total"] == 54.0
    assert market.buy(buyer, market.order_body((product, 1), expectedTotal=54.0)).status_code == 201


def test_a_dead_gateway_charges_nothing_and_holds_nothing(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=3)
    market.sandbox.faults(unavailable=True)
    try:
        answer = market.buy(buyer, market.order_body((product, 1)), key="dead-gateway")
        problem(answer, 503, "payment-unavailable")
        assert answer.headers["retry-after"] == "5"
        assert market.stock_of(product) == (3, 0)
    finally:
        market.sandbox.faults()
    market.wait_until_settled()
    checkout = market.scalar("select checkout_id from checkouts where idempotency_key = 'dead-gateway'")
    assert [e["kind"] for e in market.sandbox.ledger() if str(checkout) in e["key"]] == ["void"]
    assert market.buy(buyer, market.order_body((product, 1)), key="dead-gateway").status_code == 201


def test_a_guest_buys_with_an_email_and_a_session(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=3)
    guest = guest_headers("first")
    problem(market.buy(guest, market.order_body((product, 1))), 422, "guest-details-missing")
    answer = market.buy(guest, market.order_body((product, 1), email="guest@example.com"))
    assert answer.status_code == 201, answer.text
    path = f"/api/v1/orders/{answer.json()['orderId']}"
    assert market.client.get(path, headers=guest).json()["email"] == "guest@example.com"
    problem(market.client.get(path), 404, "order-not-found")
    problem(market.client.get(path, headers=buyer.headers), 404, "order-not-found")
    problem(market.client.get(path, headers=guest_headers("second")), 404, "order-not-found")


def test_the_cart_is_ordered_and_emptied(market: Market, seller: Person) -> None:
    person = market.person()
    problem(market.buy(person, {**market.order_body(), "items": None}), 422, "cart-empty")
    product = market.product(seller, stock=3, price=10.0)
    line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": 2}
    assert market.client.post("/api/v1/cart/items", json=line, headers=person.headers).status_code == 201
    cart = market.client.get("/api/v1/cart", headers=person.headers).json()
    body = {k: v for k, v in market.order_body().items() if k != "items"}
    answer = market.buy(person, {**body, "expectedTotal": cart["total"]})
    assert answer.status_code == 201, answer.text
    assert answer.json()["total"] == cart["total"] == 26.59
    assert market.client.get("/api/v1/cart", headers=person.headers).json()["items"] == []


@pytest.mark.parametrize("where", ["token", "type", "street", "email"])
def test_a_card_number_is_refused_and_never_echoed(market: Market, seller: Person, buyer: Person, where: str) -> None:
    product = market.product(seller, stock=1)
    body = market.order_body((product, 1))
    card = "4242 4242 4242 4242"
    if where in {"token", "type"}:
        body["paymentMethod"][where] = card
    elif where == "street":
        body["shippingAddress"] = {**body["shippingAddress"], "street": f"Card {card}"}
    else:
        body["email"] = f"{card.replace(' ', '')}@example.com"
    answer = market.buy(buyer, body)
    problem(answer, 422, "validation-failed")
    assert "4242" not in answer.text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"items": []}, "validation-failed"),
        ({"paymentMethod": {"type": "credit_card"}}, "validation-failed"),
        ({"deliverySpeed": "teleport"}, "validation-failed"),
        ({"surprise": 1}, "validation-failed"),
        ({"shippingAddress": {"addressId": "01890000-0000-7000-8000-000000000000"}}, "address-unknown"),
        ({"shippingAddress": {"street": "x"}}, "validation-failed"),
    ],
)
def test_bad_requests_are_problems(
    market: Market, seller: Person, buyer: Person, change: dict[str, object], code: str
) -> None:
    product = market.product(seller, stock=1)
    problem(market.buy(buyer, {**market.order_body((product, 1)), **change}), 422, code)
    assert market.stock_of(product) == (1, 0)


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"paymentMethod": {"type": "bananas", "token": "pm_sandbox_ok"}}, {"/paymentMethod/type"}),
        ({"paymentMethod": {"type": "Credit_Card", "token": ""}}, {"/paymentMethod/type", "/paymentMethod/token"}),
        ({"shippingAddress": {"addressId": "x"}}, {"/shippingAddress/addressId"}),
        (
            {"shippingAddress": {**ADDRESS, "addressId": "01890000-0000-7000-8000-000000000000"}},
            {f"/shippingAddress/{name}" for name in ADDRESS},
        ),
        ({"shippingAddress": {**ADDRESS, "city": "San\u0007Francisco"}}, {"/shippingAddress/city"}),
        ({"shippingAddress": {**ADDRESS, "street": "1 Market\u202e St"}}, {"/shippingAddress/street"}),
        ({"shippingAddress": {**ADDRESS, "planet": "Earth"}}, {"/shippingAddress/planet"}),
        ({"shippingAddress": 7}, {"/shippingAddress"}),
        ({"items": [{}]}, {"/items/0/productId", "/items/0/variantId", "/items/0/quantity"}),
    ],
)
def test_what_is_wrong_is_named_by_the_clients_own_path(
    market: Market, seller: Person, buyer: Person, change: dict[str, object], pointers: set[str]
) -> None:
    product = market.product(seller, stock=1)
    answer = market.buy(buyer, {**market.order_body((product, 1)), **change})
    errors = problem(answer, 422, "validation-failed")["errors"]
    assert {error["pointer"] for error in errors} == pointers
    assert market.stock_of(product) == (1, 0)


def test_the_ways_to_pay_are_named(market: Market, seller: Person, buyer: Person) -> None:
    body = market.order_body((market.product(seller, stock=1), 1))
    body["paymentMethod"]["type"] = "bananas"
    (error,) = problem(market.buy(buyer, body), 422, "validation-failed")["errors"]
    assert error["message"] == "Input should be 'credit_card', 'debit_card', 'paypal' or 'amazon_pay'"
    assert market.scalar("select count(*) from orders where payment_method = 'bananas'") == 0


def test_an_address_in_hebrew_is_delivered_to(market: Market, seller: Person, buyer: Person) -> None:
    body = market.order_body((market.product(seller, stock=1), 1))
    body["shippingAddress"] = {**ADDRESS, "street": "שדרות רוטשילד 1", "name": "\u200fנועה\u200e"}
    answer = market.buy(buyer, body)
    assert answer.status_code == 201, answer.text
    order = market.client.get(f"/api/v1/orders/{answer.json()['orderId']}", headers=buyer.headers).json()
    assert (order["shippingAddress"]["street"], order["shippingAddress"]["name"]) == (
        "שדרות רוטשילד 1",
        "\u200fנועה\u200e",
    )


@pytest.mark.parametrize("quantity", [0, -1, 1000, 2**63, "1", 1.5])
def test_bad_quantities_are_refused(market: Market, seller: Person, buyer: Person, quantity: object) -> None:
    product = market.product(seller, stock=1)
    body = market.order_body((product, 1))
    body["items"][0]["quantity"] = quantity
    problem(market.buy(buyer, body), 422, "validation-failed")


def test_items_that_do_not_exist_are_named(market: Market, seller: Person, buyer: Person) -> None:
    product = market.product(seller, stock=1)
    other = market.product(seller, stock=1)
    body = market.order_body((product, 1))
    body["items"][0]["productId"] = other["productId"]
    document = problem(market.buy(buyer, body), 422, "not-orderable")
    assert document["errors"][0]["pointer"] == "/items/0/variantId"
