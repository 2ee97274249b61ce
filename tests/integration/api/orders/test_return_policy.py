"""Returns by the refund policy: reason, window, fee, restock or write-off, and one decision for each."""

from decimal import Decimal
from typing import Any

import pytest

from api.orders.returns.policy import POLICIES, rma_number
from tests.harness.buying import Market
from tests.harness.shop import Person, problem


def delivered(market: Market, buyer: Person, seller: Person, units: int = 2) -> tuple[str, dict[str, Any], str]:
    """(order, product, line) of a delivered order for `units` at 10.00: 0.80 tax each, 4.99 shipping."""
    order, product = market.place(buyer, seller, units=units)
    market.deliver(seller, order)
    return order, product, seen(market, buyer, order)["items"][0]["orderItemId"]


def seen(market: Market, buyer: Person, order: str) -> dict[str, Any]:
    body: dict[str, Any] = market.client.get(f"/api/v1/orders/{order}", headers=buyer.headers).json()
    return body


def ask(market: Market, buyer: Person, order: str, line: str, units: int = 1, **why: str) -> dict[str, Any]:
    """The newest return, after asking for it."""
    body = {"items": [{"orderItemId": line, "quantity": units}], **(why or {"reasonCode": "damaged"})}
    answer = market.post(buyer, f"{order}/return", body)
    assert answer.status_code == 200, answer.text
    newest: dict[str, Any] = seen(market, buyer, order)["returns"][-1]
    return newest


@pytest.mark.parametrize("code", sorted(POLICIES))
def test_a_return_gives_back_what_the_policy_says(market: Market, buyer: Person, seller: Person, code: str) -> None:
    order, product, line = delivered(market, buyer, seller)
    policy = POLICIES[code]

    asked = ask(market, buyer, order, line, 2, reasonCode=code)
    answer = market.post(seller, f"{order}/returns/{asked['returnId']}/approve")

    assert answer.status_code == 200, answer.text
    shipping = Decimal("4.99") if policy.outbound else Decimal(0)
    assert market.money_of(order) == (Decimal("26.59"), Decimal("21.60") + shipping)
    back = seen(market, buyer, order)
    assert (back["status"], back["payment"]["status"]) == (
        "refunded",
        "refunded" if policy.outbound else "partially_refunded",
    )
    told = back["returns"][0]
    assert (told["reasonCode"], told["reason"], told["rmaNumber"]) == (code, code, rma_number(told["returnId"]))
    assert (told["returnShippingPaidBy"], told["outboundRefunded"]) == (policy.return_shipping, policy.outbound)
    assert (told["goodsAmount"], told["taxAmount"], told["shippingAmount"]) == (20.0, 1.6, float(shipping))
    assert (told["restocked"], market.stock_of(product).available) == (policy.restock, 9 if policy.restock else 7)


def test_a_comment_alone_is_a_reason_as_before(market: Market, buyer: Person, seller: Person) -> None:
    order, _, line = delivered(market, buyer, seller)

    told = ask(market, buyer, order, line, reason="too loud")
    by_code = ask(market, buyer, order, line, reason="damaged")

    assert (told["reason"], told["reasonCode"]) == ("too loud", "other")
    assert (by_code["reason"], by_code["reasonCode"]) == ("damaged", "damaged")
    nothing = {"items": [{"orderItemId": line, "quantity": 1}]}
    problem(market.post(buyer, f"{order}/return", nothing), 422, "validation-failed")
    wrong = {**nothing, "reasonCode": "bananas"}
    document = problem(market.post(buyer, f"{order}/return", wrong), 422, "validation-failed")
    assert document["errors"][0]["pointer"] == "/reasonCode"
    assert "'damaged'" in document["errors"][0]["message"]


def test_after_the_window_nothing_comes_back(market: Market, buyer: Person, seller: Person) -> None:
    order, _, line = delivered(market, buyer, seller)
    body = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "damaged"}
    moved = "update orders set actual_delivery = now() - interval '{}' where order_id = %s"
    market.sql.execute(moved.format("172 days").encode(), (order,))

    document = problem(market.post(buyer, f"{order}/return", body), 409, "return-window-closed")

    assert document["errors"][0]["pointer"] == "/items/0/orderItemId"
    assert document["errors"][0]["message"].startswith("could be returned until ")
    assert seen(market, buyer, order)["returns"] == []
    market.sql.execute(moved.format("29 days 23 hours").encode(), (order,))
    assert market.post(buyer, f"{order}/return", body).status_code == 200


def test_the_window_is_that_of_the_category_in_which_it_was_bought(
    market: Market, buyer: Person, seller: Person
) -> None:
    product = market.product(seller, stock=9, category="/Beauty/Skin Care")
    order = market.buy(buyer, market.order_body((product, 2))).json()["orderId"]
    market.deliver(seller, order)
    market.sql.execute(
        "update orders set actual_delivery = now() - interval '14 days 1 hour' where order_id = %s", (order,)
    )
    shown = seen(market, buyer, order)["items"][0]
    body = {"items": [{"orderItemId": shown["orderItemId"], "quantity": 1}], "reasonCode": "damaged"}
    elsewhere = {"category": str(market.category("/Outdoors/Tents"))}
    path = f"/api/v1/products/{product['productId']}"
    assert market.client.patch(path, json=elsewhere, headers=seller.headers).status_code == 200

    assert shown["returnDays"] == 14
    problem(market.post(buyer, f"{order}/return", body), 409, "return-window-closed")
    # A line of a release that kept no days has those of the category of today.
    market.sql.execute("update order_items set return_days = null where order_id = %s", (order,))
    assert market.post(buyer, f"{order}/return", body).status_code == 200
    market.sql.execute("update order_items set return_days = 14 where order_id = %s", (order,))
    problem(market.post(buyer, f"{order}/return", body), 409, "return-window-closed")


def test_each_return_is_decided_alone_and_once(market: Market, buyer: Person, seller: Person) -> None:
    order, product, line = delivered(market, buyer, seller, units=3)
    first, second, third = (ask(market, buyer, order, line) for _ in range(3))
    assert seen(market, buyer, order)["status"] == "return_requested"
    path = f"{order}/returns"

    assert market.post(seller, f"{path}/{second['returnId']}/reject", {"reason": "it was used"}).status_code == 200
    states = [row["status"] for row in seen(market, buyer, order)["returns"]]
    assert (states, seen(market, buyer, order)["status"]) == (
        ["requested", "rejected", "requested"],
        "return_requested",
    )
    # The landed route answers the oldest request only.
    assert market.post(seller, f"{order}/return/decision", {"approve": True}).status_code == 200
    states = [row["status"] for row in seen(market, buyer, order)["returns"]]
    assert states == ["refunded", "rejected", "requested"]
    assert market.post(seller, f"{path}/{third['returnId']}/approve").status_code == 200

    again = problem(market.post(seller, f"{path}/{first['returnId']}/approve"), 409, "return-decided")
    assert again["returnStatus"] == "refunded"
    rejected = {"reason": "no"}
    problem(market.post(seller, f"{path}/{second['returnId']}/reject", rejected), 409, "return-decided")
    problem(market.post(seller, f"{path}/{order}/approve"), 404, "return-not-found")
    problem(market.post(seller, f"{path}/nonsense/reject", rejected), 404, "return-not-found")
    problem(market.post(buyer, f"{path}/{first['returnId']}/approve"), 403, "forbidden")
    problem(market.post(market.person("seller"), f"{path}/{first['returnId']}/approve"), 404, "order-not-found")
    end = seen(market, buyer, order)
    assert (end["status"], end["payment"]["status"]) == ("delivered", "partially_refunded")
    paid_back = sum(Decimal(str(row["refundAmount"])) for row in end["returns"] if row["status"] == "refunded")
    assert market.money_of(order) == (Decimal("37.39"), paid_back)
    assert market.stock_of(product).available == 6  # written off: they came damaged

    last = ask(market, buyer, order, line, reasonCode="no_longer_needed")
    assert market.post(seller, f"{path}/{last['returnId']}/approve").status_code == 200
    assert seen(market, buyer, order)["status"] == "refunded"


def test_a_fee_is_kept_of_the_goods_as_far_as_the_policy_allows(market: Market, buyer: Person, seller: Person) -> None:
    order, product, line = delivered(market, buyer, seller)
    asked = ask(market, buyer, order, line, 2, reasonCode="better_price")
    path = f"{order}/returns/{asked['returnId']}/approve"

    document = problem(market.post(seller, path, {"fee": 4.01}), 422, "fee-too-high")
    assert document["errors"] == [{"pointer": "/fee", "message": "at most 4.00 for this reason"}]
    problem(market.post(seller, path, {"fee": -1}), 422, "validation-failed")
    answer = market.post(seller, path, {"fee": 4, "restock": False, "comment": "opened"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["refundAmount"] == 17.6
    told = seen(market, buyer, order)["returns"][0]
    assert (told["feeAmount"], told["goodsAmount"], told["refundAmount"]) == (4.0, 16.0, 17.6)
    assert (told["restocked"], market.stock_of(product).available) == (False, 7)
    assert market.money_of(order) == (Decimal("26.59"), Decimal("17.60"))
    assert seen(market, buyer, order)["status"] == "refunded"


def test_a_seller_at_fault_keeps_no_fee(market: Market, buyer: Person, seller: Person) -> None:
    order, _, line = delivered(market, buyer, seller)
    asked = ask(market, buyer, order, line, reasonCode="damaged")

    path = f"{order}/returns/{asked['returnId']}/approve"
    document = problem(market.post(seller, path, {"fee": 0.01}), 422, "fee-too-high")

    assert document["errors"] == [{"pointer": "/fee", "message": "at most 0.00 for this reason"}]


def test_the_same_approval_sent_again_pays_once(market: Market, buyer: Person, seller: Person) -> None:
    order, _, line = delivered(market, buyer, seller)
    asked = ask(market, buyer, order, line, reasonCode="damaged")
    headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
    path = f"/api/v1/orders/{order}/returns/{asked['returnId']}/approve"

    answers = [market.client.post(path, json={}, headers=headers) for _ in range(2)]

    assert answers[0].content == answers[1].content
    assert market.scalar("select count(*) from refunds where order_id = %s", (order,)) == 1


def test_each_seller_decides_the_returns_of_their_own_lines(market: Market, buyer: Person, seller: Person) -> None:
    other = market.person("seller")
    mine, theirs = market.product(seller, stock=9), market.product(other, stock=9)
    order = market.buy(buyer, market.order_body((mine, 1), (theirs, 1))).json()["orderId"]
    for who in (seller, other):
        parts = market.client.get(f"/api/v1/sellers/me/orders/{order}", headers=who.headers).json()["parcels"]
        for step in ("process", "ship", "deliver"):
            headers = {**who.headers, "Idempotency-Key": next(market.keys)}
            path = f"/api/v1/sellers/me/parcels/{parts[0]['parcelId']}/{step}"
            assert market.client.post(path, json={}, headers=headers).status_code == 200
    lines = {line["productId"]: line["orderItemId"] for line in seen(market, buyer, order)["items"]}
    first = ask(market, buyer, order, lines[mine["productId"]])
    second = ask(market, buyer, order, lines[theirs["productId"]])

    shown = market.client.get(f"/api/v1/sellers/me/orders/{order}", headers=other.headers).json()["returns"]
    assert [row["returnId"] for row in shown] == [second["returnId"]]
    foreign = market.post(other, f"{order}/returns/{first['returnId']}/approve")
    problem(foreign, 404, "return-not-found")
    assert market.post(other, f"{order}/return/decision", {"approve": True}).status_code == 200
    problem(market.post(other, f"{order}/return/decision", {"approve": True}), 409, "order-state")
    states = {row["returnId"]: row["status"] for row in seen(market, buyer, order)["returns"]}
    assert states == {first["returnId"]: "requested", second["returnId"]: "refunded"}
    assert market.post(seller, f"{order}/returns/{first['returnId']}/approve").status_code == 200
    assert seen(market, buyer, order)["status"] == "refunded"


def test_a_return_that_gives_nothing_back_is_settled_by_its_approval(
    market: Market, buyer: Person, seller: Person
) -> None:
    """A line that was free, and then a line whose money went back before."""
    order = market.buy(buyer, market.order_body(*((market.product(seller, stock=9), 1) for _ in range(2)))).json()[
        "orderId"
    ]
    market.deliver(seller, order)
    paid, free = (item["orderItemId"] for item in seen(market, buyer, order)["items"])
    move = "update order_items set price_at_purchase = {0}, subtotal = {0}, tax_amount = {1} where order_item_id = %s"
    market.sql.execute(move.format("20", "1.60").encode(), (paid,))
    market.sql.execute(move.format("0", "0").encode(), (free,))

    asked = ask(market, buyer, order, free, reasonCode="no_longer_needed")
    answer = market.post(seller, f"{order}/returns/{asked['returnId']}/approve")
    assert (answer.status_code, answer.json()["refundAmount"]) == (200, 0.0), answer.text
    assert (seen(market, buyer, order)["status"], market.money_of(order)[1]) == ("delivered", Decimal(0))
    assert [row["status"] for row in seen(market, buyer, order)["returns"]] == ["refunded"]

    given = {"reasonCode": "goodwill", "items": [{"orderItemId": paid, "amount": 21.6}]}
    assert market.post(seller, f"{order}/refunds", given).status_code == 200
    last = ask(market, buyer, order, paid, reasonCode="no_longer_needed")
    assert (last["refundAmount"], seen(market, buyer, order)["status"]) == (0.0, "return_requested")
    answer = market.post(seller, f"{order}/returns/{last['returnId']}/approve")

    assert (answer.json()["status"], answer.json()["refundAmount"]) == ("refunded", 0.0)
    end = seen(market, buyer, order)
    assert (end["status"], end["payment"]["status"]) == ("refunded", "partially_refunded")
    assert [step["toStatus"] for step in end["history"]][-2:] == ["return_approved", "refunded"]
    assert [row["status"] for row in end["returns"]] == ["refunded", "refunded"]
    assert market.money_of(order) == (Decimal("26.59"), Decimal("21.60"))


def test_money_on_its_way_takes_the_order_to_its_end_when_the_last_return_gives_nothing(
    market: Market, buyer: Person, seller: Person
) -> None:
    order, _, line = delivered(market, buyer, seller)
    first = ask(market, buyer, order, line)
    given = {"reasonCode": "goodwill", "items": [{"orderItemId": line, "amount": 10.8}]}
    market.sandbox.faults(unavailable=True)
    assert market.post(seller, f"{order}/returns/{first['returnId']}/approve").status_code == 200
    assert market.post(seller, f"{order}/refunds", given).status_code == 200
    last = ask(market, buyer, order, line, reasonCode="no_longer_needed")
    answer = market.post(seller, f"{order}/returns/{last['returnId']}/approve")
    assert (answer.json()["status"], answer.json()["refundAmount"]) == ("return_approved", 0.0)
    assert market.money_of(order)[1] == Decimal(0)

    market.sandbox.faults()
    given["items"] = [{"orderItemId": line, "shippingAmount": 0.01}]
    assert market.post(seller, f"{order}/refunds", given).status_code == 200

    end = seen(market, buyer, order)
    assert (end["status"], end["payment"]["status"]) == ("refunded", "partially_refunded")
    assert market.money_of(order) == (Decimal("26.59"), Decimal("21.61") + Decimal(str(first["shippingAmount"])))
