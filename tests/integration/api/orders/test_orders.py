"""After an order is placed: who may see and move it, cancelling, returning; and every invariant at the end."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.analytics.live_sales import sales_by_day
from api.kernel.actor import Actor
from api.kernel.db import Database
from api.kernel.settings import Settings
from api.orders.queries.detail import order_of
from tests.harness.api import Server
from tests.harness.buying import Market, Worker, wait_until
from tests.harness.shop import Person, problem
from tests.harness.wire import watched_wire


def test_cancelling_gives_money_and_units_back(market: Market, buyer: Person, seller: Person) -> None:
    order_id, product = market.place(buyer, seller)
    assert market.stock_of(product).available == 7
    answer = market.post(buyer, f"{order_id}/cancel", {"reason": "changed my mind"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "orderId": order_id,
        "status": "cancelled",
        "paymentStatus": "refunded",
        "refundAmount": 26.59,
    }
    assert market.stock_of(product).available == 9
    assert market.money_of(order_id) == (Decimal("26.59"), Decimal("26.59"))
    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    assert (seen["history"][-1]["toStatus"], seen["history"][-1]["by"], seen["history"][-1]["reason"]) == (
        "cancelled",
        "customer",
        "changed my mind",
    )
    assert problem(market.post(buyer, f"{order_id}/cancel"), 409, "order-state")["orderStatus"] == "cancelled"


def test_a_shipped_order_cannot_be_cancelled(market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller)
    problem(market.post(seller, f"{order_id}/advance", {"status": "shipped"}), 409, "order-state")
    for status in ("processing", "shipped"):
        assert market.post(seller, f"{order_id}/advance", {"status": status}).status_code == 200
    problem(market.post(buyer, f"{order_id}/cancel"), 409, "order-state")


def test_everything_comes_back_and_the_order_is_refunded(market: Market, buyer: Person, seller: Person) -> None:
    order_id, product = market.place(buyer, seller, units=3, price=33.33)
    market.deliver(seller, order_id)
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]
    body = {"items": [{"orderItemId": item["orderItemId"], "quantity": 3}], "reason": "too loud"}
    answer = market.post(buyer, f"{order_id}/return", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "return_requested"
    problem(market.post(buyer, f"{order_id}/return", body), 409, "order-state")
    answer = market.post(seller, f"{order_id}/return/decision", {"approve": True})
    assert answer.status_code == 200, answer.text
    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    assert [step["toStatus"] for step in seen["history"]][-4:] == [
        "delivered",
        "return_requested",
        "return_approved",
        "refunded",
    ]
    assert (seen["status"], seen["payment"]["refunded"], seen["returns"][0]["status"]) == (
        "refunded",
        seen["total"],
        "refunded",
    )
    assert market.stock_of(product).available == 9


def test_a_part_comes_back_and_the_order_stays_delivered(market: Market, buyer: Person, seller: Person) -> None:
    order_id, product = market.place(buyer, seller, units=3, price=33.33)
    market.deliver(seller, order_id)
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    total, given = Decimal("107.99"), Decimal(0)
    for n in range(3):
        body = {"items": [{"orderItemId": item, "quantity": 1}], "reason": "one at a time"}
        assert market.post(buyer, f"{order_id}/return", body).status_code == 200
        answer = market.post(seller, f"{order_id}/return/decision", {"approve": True})
        given += Decimal(str(answer.json()["refundAmount"]))
        assert market.money_of(order_id) == (total, given)
        seen = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
        assert seen["status"] == ("delivered" if n < 2 else "refunded")
        # Sales figures take a return off when it is refunded, not when it is approved.
        assert [(back["status"], back["quantity"]) for back in seen["returns"]] == [("refunded", 1)] * (n + 1)
    assert given == total
    assert market.stock_of(product).available == 9


async def test_a_whole_order_that_comes_back_takes_its_goods_off_the_sales_and_no_more(
    market: Market, buyer: Person
) -> None:
    """10.00 sold, 10.00 returned: net 0.00, though 15.79 were paid back."""
    seller = market.person("seller")
    order_id, _ = market.place(buyer, seller, units=1, price=10.0)
    market.deliver(seller, order_id)
    answer = returned(market, buyer, seller, order_id, 1)
    assert (answer["status"], answer["refundAmount"]) == ("return_approved", 15.79)

    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    back = seen["returns"][0]
    assert [back[name] for name in ("refundAmount", "goodsAmount", "taxAmount", "shippingAmount")] == [
        *(15.79, 10.0, 0.8, 4.99)
    ]
    db = Database(Settings.model_validate({"DATABASE_URL": market.database_url, "SOUK_PROFILE": "test"}))
    async with db.read() as tx:
        [day] = await sales_by_day(tx, Actor("seller", UUID(seller.user_id)), datetime.now(UTC) - timedelta(days=2))
    await db.close()
    assert (day.orders, day.units, day.gross_sales) == (1, 1, Decimal("10.00"))
    assert (day.returned_units, day.returned_amount, day.net_sales) == (1, Decimal("10.00"), Decimal("0.00"))


async def test_a_cancelled_order_is_in_no_count_and_no_average(market: Market, buyer: Person) -> None:
    seller = market.person("seller")
    kept, cancelled = (market.place(buyer, seller, units=1, price=100.0)[0] for _ in range(2))
    assert market.post(buyer, f"{cancelled}/cancel").status_code == 200

    db = Database(Settings.model_validate({"DATABASE_URL": market.database_url, "SOUK_PROFILE": "test"}))
    async with db.read() as tx:
        [day] = await sales_by_day(tx, Actor("seller", UUID(seller.user_id)), datetime.now(UTC) - timedelta(days=2))
    await db.close()
    assert (day.orders, day.units, day.net_sales, day.net_sales / day.orders) == (1, 1, Decimal(100), Decimal(100))
    assert kept != cancelled


def test_a_payment_of_which_a_part_was_refunded_says_so(market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller, units=2)
    market.deliver(seller, order_id)

    told = []
    for _ in range(2):
        returned(market, buyer, seller, order_id, 1)
        told.append(market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json())

    assert [(seen["status"], seen["payment"]["status"]) for seen in told] == [
        ("delivered", "partially_refunded"),
        ("refunded", "refunded"),
    ]
    assert market.money_of(order_id) == (Decimal("26.59"), Decimal("26.59"))


def returned(market: Market, buyer: Person, seller: Person, order_id: str, units: int) -> Any:
    """The answer to the approval of a return of `units` of the order's one line."""
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    body = {"items": [{"orderItemId": item, "quantity": units}], "reason": "too loud"}
    assert market.post(buyer, f"{order_id}/return", body).status_code == 200
    answer = market.post(seller, f"{order_id}/return/decision", {"approve": True})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_reason_of_a_decision_on_a_part_is_kept(market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller)
    market.deliver(seller, order_id)
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    body = {"items": [{"orderItemId": item, "quantity": 1}], "reason": "scratched"}
    assert market.post(buyer, f"{order_id}/return", body).status_code == 200

    refused = {"approve": False, "reason": "it was used"}
    assert market.post(seller, f"{order_id}/return/decision", refused).status_code == 200

    kept = market.sql.execute(
        "select payload ->> 'reason' from outbox_events"
        " where event_type = 'ItemReturnRejected' and payload ->> 'orderId' = %s",
        (order_id,),
    ).fetchall()
    assert kept == [("it was used",)]


def test_a_refused_return_leaves_the_order_delivered(market: Market, buyer: Person, seller: Person) -> None:
    order_id, product = market.place(buyer, seller)
    market.deliver(seller, order_id)
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    document = problem(
        market.post(buyer, f"{order_id}/return", {"items": [{"orderItemId": item, "quantity": 3}], "reason": "x"}),
        422,
        "not-returnable",
    )
    assert document["errors"] == [{"pointer": "/items/0/quantity", "message": "2 of this line can still be returned"}]
    assert (
        market.post(
            buyer, f"{order_id}/return", {"items": [{"orderItemId": item, "quantity": 2}], "reason": "x"}
        ).status_code
        == 200
    )
    answer = market.post(seller, f"{order_id}/return/decision", {"approve": False, "reason": "used"})
    assert (answer.status_code, answer.json()["status"]) == (200, "delivered")
    assert market.stock_of(product).available == 7
    assert market.money_of(order_id)[1] == 0


def test_other_people_see_nothing_and_change_nothing(market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller)
    stranger, other_seller = market.person(), market.person("seller")
    for who in (stranger, other_seller):
        problem(market.client.get(f"/api/v1/orders/{order_id}", headers=who.headers), 404, "order-not-found")
        problem(market.post(who, f"{order_id}/cancel"), 404, "order-not-found")
        problem(market.post(who, f"{order_id}/advance", {"status": "processing"}), 404, "order-not-found")
    problem(market.post(buyer, f"{order_id}/advance", {"status": "processing"}), 403, "forbidden")
    problem(market.post(seller, f"{order_id}/cancel"), 403, "forbidden")
    problem(
        market.client.get(f"/api/v1/users/{buyer.user_id}/orders", headers=stranger.headers), 404, "order-not-found"
    )
    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=seller.headers).json()
    assert (seen["shippingAddress"]["street"], seen["email"]) == ("1 High Street", None)
    assert market.scalar("select status from orders where order_id = %s", (order_id,)) == "confirmed"
    market.deliver(seller, order_id)
    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=seller.headers).json()
    assert (seen["shippingAddress"], seen["email"]) == (None, None)


def test_pages_of_orders_are_complete_and_in_order(market: Market, seller: Person) -> None:
    person = market.person()
    product = market.product(seller, stock=9)
    made = [market.buy(person, market.order_body((product, 1))).json()["orderId"] for _ in range(5)]
    path, seen, cursor = f"/api/v1/users/{person.user_id}/orders", [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = market.client.get(path, params=params, headers=person.headers).json()
        seen += [order["orderId"] for order in page["orders"]]
        cursor = page["pagination"]["nextCursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    by_page = market.client.get(path, params={"limit": 2, "page": 3}, headers=person.headers).json()
    assert [order["orderId"] for order in by_page["orders"]] == [made[0]]
    assert by_page["pagination"]["total"] == 5
    assert market.client.get(path, params={"status": "shipped"}, headers=person.headers).json()["orders"] == []
    problem(market.client.get(path, params={"status": "lost"}, headers=person.headers), 422, "validation-failed")


@pytest.mark.parametrize("who", ["buyer", "seller", "admin"])
async def test_an_order_in_full_is_one_round_trip(market: Market, buyer: Person, seller: Person, who: str) -> None:
    """A single statement is its own transaction: nothing else is sent."""
    order_id, _ = market.place(buyer, seller, units=3, price=33.33)
    actor = {
        "buyer": Actor("customer", UUID(buyer.user_id)),
        "seller": Actor("seller", UUID(seller.user_id)),
        "admin": Actor("admin", uuid4()),
    }[who]
    db = Database(Settings.model_validate({"DATABASE_URL": market.database_url, "SOUK_PROFILE": "test"}))
    with watched_wire() as wire:
        async with db.read() as tx:
            order = await order_of(tx, actor, UUID(order_id))
    await db.close()

    assert [[statement.split()[0] for statement in trip] for trip in wire.trips] == [["SELECT"]]
    assert (order.items[0].price, order.items[0].subtotal) == (Decimal("33.33"), Decimal("99.99"))
    assert (order.payment.status, order.payment.captured) == ("paid", order.total)
    assert [step.to_status for step in order.history] == ["pending", "confirmed"]
    assert (order.shipping_address is not None) == (who != "admin")
    assert [(parcel.number, parcel.status, len(parcel.lines)) for parcel in order.parcels] == [(1, "confirmed", 1)]


def test_a_refund_waits_for_a_dead_gateway(server: Server, market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller)
    market.sandbox.faults(unavailable=True)
    try:
        assert market.post(buyer, f"{order_id}/cancel").status_code == 200
        assert market.money_of(order_id)[1] == 0
    finally:
        market.sandbox.faults()
    worker = Worker(server.log.parent, server.env)
    worker.start()
    try:
        wait_until(lambda: market.scalar("select status from refunds where order_id = %s", (order_id,)) == "refunded")
    finally:
        worker.stop()
    assert market.money_of(order_id) == (Decimal("26.59"), Decimal("26.59"))


def test_returns_are_refunded_when_the_last_of_their_money_is(
    server: Server, market: Market, buyer: Person, seller: Person
) -> None:
    order_id, _ = market.place(buyer, seller, units=3)
    market.deliver(seller, order_id)
    item = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    states = "select array_agg(status order by return_id) from returns where order_id = %s"
    market.sandbox.faults(unavailable=True)
    try:
        for _ in range(2):
            body = {"items": [{"orderItemId": item, "quantity": 1}], "reason": "too loud"}
            assert market.post(buyer, f"{order_id}/return", body).status_code == 200
            assert market.post(seller, f"{order_id}/return/decision", {"approve": True}).status_code == 200
        assert market.scalar(states, (order_id,)) == ["approved", "approved"]
    finally:
        market.sandbox.faults()

    worker = Worker(server.log.parent, server.env)
    worker.start()
    try:
        wait_until(lambda: market.scalar(states, (order_id,)) == ["refunded", "refunded"])
    finally:
        worker.stop()
    given = market.scalar("select sum(refund_amount) from returns where order_id = %s", (order_id,))
    assert market.money_of(order_id)[1] == given
    assert market.scalar("select status from orders where order_id = %s", (order_id,)) == "delivered"


def line_of(market: Market, buyer: Person, order_id: str) -> str:
    line: str = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"][0]["orderItemId"]
    return line


def test_units_of_a_line_are_cancelled_before_it_is_sent_and_the_rest_goes_on(
    market: Market, buyer: Person, seller: Person
) -> None:
    order_id, product = market.place(buyer, seller, units=3)
    path = f"{order_id}/items/{line_of(market, buyer, order_id)}/cancel"

    answer = market.post(buyer, path, {"quantity": 1, "reason": "one too many"})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["refundAmount"]) == ("confirmed", 10.8)
    assert market.money_of(order_id) == (Decimal("37.39"), Decimal("10.80"))
    assert market.stock_of(product).available == 7
    seen = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    assert (seen["payment"]["status"], seen["items"][0]["returnedQuantity"]) == ("partially_refunded", 1)
    told = seen["returns"][0]
    assert (told["status"], told["reasonCode"], told["reason"]) == ("refunded", "cancelled", "one too many")
    document = problem(market.post(buyer, path, {"quantity": 3}), 422, "not-cancellable")
    assert document["errors"] == [{"pointer": "/quantity", "message": "2 of this line can still be cancelled"}]
    problem(market.post(buyer, path, {"quantity": 2}), 409, "last-units")
    problem(market.post(seller, path, {"quantity": 1}), 403, "forbidden")
    problem(market.post(buyer, f"{order_id}/items/{order_id}/cancel", {"quantity": 1}), 404, "order-line-not-found")
    market.deliver(seller, order_id)
    problem(market.post(buyer, path, {"quantity": 1}), 409, "order-state")
    assert returned(market, buyer, seller, order_id, 2)["status"] == "return_approved"
    end = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    assert (end["status"], market.stock_of(product).available) == ("refunded", 9)


async def test_an_order_of_which_units_were_cancelled_is_cancelled_and_nothing_is_taken_off_twice(
    market: Market, buyer: Person
) -> None:
    seller = market.person("seller")
    order_id, product = market.place(buyer, seller, units=3)
    path = f"{order_id}/items/{line_of(market, buyer, order_id)}/cancel"
    assert market.post(buyer, path, {"quantity": 2}).status_code == 200

    answer = market.post(buyer, f"{order_id}/cancel")

    assert (answer.status_code, answer.json()["refundAmount"]) == (200, 15.79)
    assert market.money_of(order_id) == (Decimal("37.39"), Decimal("37.39"))
    assert market.stock_of(product).available == 9
    parts = "select sum(goods_amount), sum(tax_amount), sum(shipping_amount) from refunds where order_id = %s"
    assert market.sql.execute(parts, (order_id,)).fetchone() == (Decimal("30.00"), Decimal("2.40"), Decimal("4.99"))
    db = Database(Settings.model_validate({"DATABASE_URL": market.database_url, "SOUK_PROFILE": "test"}))
    async with db.read() as tx:
        [day] = await sales_by_day(tx, Actor("seller", UUID(seller.user_id)), datetime.now(UTC) - timedelta(days=2))
    await db.close()
    assert (day.orders, day.units, day.returned_units, day.net_sales) == (0, 0, 0, Decimal("0.00"))


def test_a_parcel_of_which_every_unit_was_cancelled_is_not_sent(market: Market, buyer: Person, seller: Person) -> None:
    other = market.person("seller")
    kept, gone = market.product(seller, stock=9), market.product(other, stock=9)
    order_id = market.buy(buyer, market.order_body((kept, 1), (gone, 2))).json()["orderId"]
    lines = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"]
    [line] = [line["orderItemId"] for line in lines if line["productId"] == gone["productId"]]
    path = f"{order_id}/items/{line}/cancel"

    assert market.post(buyer, path, {"quantity": 1}).status_code == 200
    assert market.scalar("select count(*) from parcels where order_id = %s and status = 'cancelled'", (order_id,)) == 0
    answer = market.post(buyer, path, {"quantity": 1})

    assert (answer.status_code, answer.json()["status"]) == (200, "confirmed")
    states = "select array_agg(p.status order by p.status) from parcels p where order_id = %s"
    assert market.scalar(states, (order_id,)) == ["cancelled", "confirmed"]
    assert market.stock_of(gone).available == 9
    problem(market.post(buyer, path, {"quantity": 1}), 409, "order-state")
