"""Money that goes back without a return: who may give it, how much, how often, and what it moves."""

from decimal import Decimal
from typing import Any

import pytest

from tests.harness.buying import Market
from tests.harness.shop import Person, problem


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


def seen(market: Market, buyer: Person, order: str) -> dict[str, Any]:
    body: dict[str, Any] = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()
    return body


def bought(market: Market, buyer: Person, seller: Person, *steps: str) -> tuple[str, str]:
    """(order, line) of two units at 10.00, 0.80 tax each, 4.99 shipping."""
    order, _ = market.place(buyer, seller)
    for status in steps:
        assert market.post(seller, f"{order}/advance", {"status": status}).status_code == 200
    return order, seen(market, buyer, order)["items"][0]["orderItemId"]


def give(line: str, code: str = "goodwill", **fields: Any) -> dict[str, Any]:
    return {"reasonCode": code, "items": [{"orderItemId": line, **fields}]}


def test_a_seller_gives_some_back_several_times_up_to_what_is_left(
    market: Market, buyer: Person, seller: Person
) -> None:
    order, line = bought(market, buyer, seller, "processing", "shipped", "delivered")
    path = f"{order}/refunds"

    first = market.post(seller, path, give(line, amount=5.4, shippingAmount=1))
    assert (first.status_code, first.json()["refundAmount"]) == (200, 6.4), first.text
    assert market.post(seller, path, give(line, "price_adjustment", amount=2.16)).status_code == 200
    document = problem(market.post(seller, path, give(line, amount=14.05, shippingAmount=4)), 422, "refund-too-high")
    assert document["errors"] == [
        {"pointer": "/items/0/amount", "message": "14.04 is left"},
        {"pointer": "/items/0/shippingAmount", "message": "3.99 is left"},
    ]
    assert document["refundable"] == [{"orderItemId": line, "amount": 14.04, "shippingAmount": 3.99}]

    told = seen(market, buyer, order)
    assert (told["status"], told["payment"]["status"], told["returns"]) == ("delivered", "partially_refunded", [])
    rows = [
        (row["reasonCode"], row["quantity"], row["status"], row["goodsAmount"], row["taxAmount"], row["shippingAmount"])
        for row in told["adjustments"]
    ]
    assert rows == [("goodwill", 0, "refunded", 5.0, 0.4, 1.0), ("price_adjustment", 0, "refunded", 2.0, 0.16, 0.0)]
    assert market.money_of(order) == (Decimal("26.59"), Decimal("8.56"))
    mine = market.client.get(f"/api/v1/sellers/me/orders/{order}", headers=seller.headers).json()
    assert (mine["returns"], mine["adjustments"]) == ([], told["adjustments"])
    events = "select sum(goods_amount) from return_events where order_id = %s and to_status = 'refunded'"
    assert market.scalar(events, (order,)) == Decimal("7.00")

    # A unit that comes back gives back its half of what is left, and the last one the rest.
    for _ in range(2):
        asked = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "damaged"}
        answer = market.post(buyer, f"{order}/return", asked)
        assert answer.status_code == 200, answer.text
        assert market.post(seller, f"{order}/return/decision", {"approve": True}).status_code == 200
    end = seen(market, buyer, order)
    assert [(row["goodsAmount"], row["taxAmount"], row["shippingAmount"]) for row in end["returns"]] == [
        (6.5, 0.52, 1.5),
        (6.5, 0.52, 2.49),
    ]
    assert (end["status"], end["payment"]["status"]) == ("refunded", "refunded")
    assert market.money_of(order) == (Decimal("26.59"), Decimal("26.59"))


def test_all_of_it_may_go_back_while_the_order_stays_delivered(market: Market, buyer: Person, seller: Person) -> None:
    order, line = bought(market, buyer, seller, "processing", "shipped", "delivered")

    assert market.post(seller, f"{order}/refunds", give(line, amount=21.6, shippingAmount=4.99)).status_code == 200

    told = seen(market, buyer, order)
    assert (told["status"], told["payment"]["status"], told["payment"]["refunded"]) == ("delivered", "refunded", 26.59)
    problem(market.post(seller, f"{order}/refunds", give(line, amount=0.01)), 422, "refund-too-high")


def test_a_repeated_request_gives_once(market: Market, buyer: Person, seller: Person) -> None:
    order, line = bought(market, buyer, seller)
    headers = {**seller.headers, "Idempotency-Key": next(market.keys)}

    answers = [
        market.client.post(f"/api/v1/orders/{order}/refunds", json=give(line, amount=1), headers=headers)
        for _ in range(2)
    ]

    assert answers[0].content == answers[1].content
    assert market.scalar("select count(*) from refunds where order_id = %s", (order,)) == 1
    # Cancelling the whole order gives back the rest.
    assert market.post(buyer, f"{order}/cancel").status_code == 200
    assert market.money_of(order) == (Decimal("26.59"), Decimal("26.59"))
    problem(market.post(seller, f"{order}/refunds", give(line, amount=1)), 409, "order-state")


def test_units_of_a_lost_parcel_are_paid_back_in_full_and_never_come_back(
    market: Market, buyer: Person, seller: Person
) -> None:
    order, line = bought(market, buyer, seller, "processing")
    lost = give(line, "lost_parcel", quantity=1)
    document = problem(market.post(seller, f"{order}/refunds", lost), 422, "not-returnable")
    assert document["errors"][0]["pointer"] == "/items/0/quantity"
    assert market.post(seller, f"{order}/advance", {"status": "shipped"}).status_code == 200

    answer = market.post(seller, f"{order}/refunds", lost)

    assert answer.json()["refundAmount"] == 13.3  # 10.00 + 0.80, and 2.50 of 4.99
    told = seen(market, buyer, order)
    assert [(row["quantity"], row["status"]) for row in told["adjustments"]] == [(1, "refunded")]
    assert (told["status"], told["items"][0]["returnedQuantity"]) == ("shipped", 1)
    problem(market.post(seller, f"{order}/refunds", give(line, "lost_parcel", quantity=2)), 422, "not-returnable")
    assert (
        market.scalar(
            "select sum(available) from warehouse_stock s join order_items using (variant_id) where order_item_id = %s",
            (line,),
        )
        == 7
    )
    assert market.post(seller, f"{order}/advance", {"status": "delivered"}).status_code == 200
    asked = {"items": [{"orderItemId": line, "quantity": 2}], "reasonCode": "damaged"}
    problem(market.post(buyer, f"{order}/return", asked), 422, "not-returnable")


def test_who_may_give(market: Market, buyer: Person, seller: Person, admin: Person) -> None:
    other = market.person("seller")
    mine, theirs = market.product(seller, stock=9), market.product(other, stock=9)
    order = market.buy(buyer, market.order_body((mine, 1), (theirs, 1))).json()["orderId"]
    lines = {line["productId"]: line["orderItemId"] for line in seen(market, buyer, order)["items"]}
    of_other = give(lines[theirs["productId"]], amount=1)
    path = f"{order}/refunds"

    problem(market.post(seller, path, of_other), 422, "not-returnable")
    problem(market.post(buyer, path, of_other), 403, "forbidden")
    problem(market.post(market.person(), path, of_other), 404, "order-not-found")
    assert market.post(other, path, of_other).status_code == 200
    document = problem(market.post(admin, path, of_other), 422, "validation-failed")
    assert document["errors"] == [{"pointer": "/reason", "message": "an administrator says why"}]
    assert market.post(admin, path, {**of_other, "reason": "promised on the phone"}).status_code == 200
    told = seen(market, buyer, order)["adjustments"]
    assert [row["reason"] for row in told] == ["goodwill", "promised on the phone"]
    shown = market.client.get(f"/api/v1/sellers/me/orders/{order}", headers=seller.headers).json()
    assert shown["adjustments"] == []
