"""An exchange: the new order is paid first, the old units come back, and each order's money adds up by itself."""

from decimal import Decimal
from typing import Any

import httpx

from tests.harness.buying import Market
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem

PAID = {"type": "credit_card", "token": "pm_sandbox_ok"}
DECLINED = {"type": "credit_card", "token": "pm_sandbox_declined"}
SIZES = {"M": 10.0, "L": 12.5}


def shirt(market: Market, seller: Person, name: str) -> dict[str, Any]:
    variants = [
        {"sku": f"{name}-{size}", "attributes": {"size": size}, "price": price} for size, price in SIZES.items()
    ]
    return market.product(seller, stock=5, price=10.0, variants=variants)


def bought(market: Market, buyer: Person, seller: Person, product: dict[str, Any]) -> tuple[str, str]:
    """(order, line) of two units of the first size, delivered: 26.59 paid."""
    order = market.buy(buyer, market.order_body((product, 2))).json()["orderId"]
    market.deliver(seller, order)
    return order, seen(market, buyer, order)["items"][0]["orderItemId"]


def seen(market: Market, who: Person, order: str) -> dict[str, Any]:
    body: dict[str, Any] = market.client.get(f"/api/v1/orders/{order}", headers=who.headers).json()
    return body


def other_size(product: dict[str, Any], line: str, **fields: Any) -> dict[str, Any]:
    variant = product["variants"][1]["variantId"]
    return {"orderItemId": line, "quantity": 1, "variantId": variant, "paymentMethod": PAID, **fields}


def units(market: Market, product: dict[str, Any]) -> list[int]:
    return [variant["stock"] for variant in market.detail(product["productId"])["variants"]]


def test_another_size_is_paid_and_the_first_one_refunded_when_it_came_back(
    market: Market, buyer: Person, seller: Person
) -> None:
    product = shirt(market, seller, "E1")
    order, line = bought(market, buyer, seller, product)
    headers = {**buyer.headers, "Idempotency-Key": next(market.keys)}
    body = other_size(product, line, expectedTotal=18.49)

    answers = [market.client.post(f"/api/v1/orders/{order}/exchanges", json=body, headers=headers) for _ in range(2)]

    assert answers[0].status_code == 200, answers[0].text
    assert answers[0].content == answers[1].content
    done = answers[0].json()
    assert (done["charged"], done["refundAmount"], done["difference"]) == (18.49, 10.8, 7.69)
    new = seen(market, buyer, done["exchangeOrderId"])
    assert (new["status"], new["orderNumber"]) == ("confirmed", done["exchangeOrderNumber"])
    assert new["items"][0]["attributes"] == {"size": "L"}
    assert new["shippingAddress"] == seen(market, buyer, order)["shippingAddress"]
    assert units(market, product) == [3, 4]
    asked = seen(market, buyer, order)["returns"]
    assert [(row["status"], row["reasonCode"], row["exchangeOrderId"]) for row in asked] == [
        ("requested", "wrong_size", done["exchangeOrderId"])
    ]
    assert market.money_of(order)[1] == Decimal(0)
    assert market.post(seller, f"{order}/returns/{asked[0]['returnId']}/approve").status_code == 200
    assert market.money_of(order) == (Decimal("26.59"), Decimal("10.80"))
    assert market.money_of(done["exchangeOrderId"]) == (Decimal("18.49"), Decimal(0))
    assert units(market, product) == [4, 4]
    assert market.scalar("select count(*) from orders where user_id = %s", (buyer.user_id,)) == 2


def test_a_refused_order_leaves_everything_as_it_was(market: Market, seller: Person) -> None:
    buyer, product = market.person(), shirt(market, seller, "E2")
    order, line = bought(market, buyer, seller, product)

    def refused(status: int, code: str, **fields: Any) -> list[str]:
        answer: httpx.Response = market.post(buyer, f"{order}/exchanges", other_size(product, line, **fields))
        document = problem(answer, status, code)
        return [error["pointer"] for error in document.get("errors") or []]

    assert refused(402, "payment-declined", paymentMethod=DECLINED) == []
    assert refused(409, "total-changed", expectedTotal=1.0) == ["/expectedTotal"]
    assert refused(422, "not-returnable", quantity=3) == ["/quantity"]
    assert refused(422, "not-returnable", orderItemId=order) == ["/orderItemId"]
    assert refused(422, "not-orderable", variantId=order) == ["/variantId"]
    market.stock(product["variants"][1]["variantId"], 0)
    assert refused(409, "out-of-stock") == []

    assert seen(market, buyer, order)["returns"] == []
    assert (
        market.scalar("select count(*) from orders where user_id = %s and status <> 'cancelled'", (buyer.user_id,)) == 1
    )
    assert market.money_of(order) == (Decimal("26.59"), Decimal(0))
    assert units(market, product) == [3, 0]
    problem(market.post(seller, f"{order}/exchanges", other_size(product, line)), 403, "forbidden")
    problem(market.post(market.person(), f"{order}/exchanges", other_size(product, line)), 404, "order-not-found")


def test_a_guest_exchanges_too(market: Market, seller: Person) -> None:
    headers, product = guest_headers(), shirt(market, seller, "E4")
    order = market.buy(headers, market.order_body((product, 1), email="guest@example.com")).json()["orderId"]
    market.deliver(seller, order)
    line = market.client.get(f"/api/v1/orders/{order}", headers=headers).json()["items"][0]["orderItemId"]

    answer = market.client.post(
        f"/api/v1/orders/{order}/exchanges",
        json=other_size(product, line),
        headers={**headers, "Idempotency-Key": next(market.keys)},
    )

    assert answer.status_code == 200, answer.text
    new = market.client.get(f"/api/v1/orders/{answer.json()['exchangeOrderId']}", headers=headers).json()
    assert (new["status"], new["email"]) == ("confirmed", "guest@example.com")
