"""An order of several sellers: each reads and sends their part, the buyer sees one order and its parcels."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from api.kernel.actor import Actor
from api.orders.parcels.queries import seller_order
from tests.harness.buying import Market
from tests.harness.database import opened
from tests.harness.parcels import do, order_of, part_of, send, sold
from tests.harness.shop import Person, problem
from tests.harness.wire import watched_wire

SHIPPED = {"carrier": "Royal Mail", "trackingNumber": "RM 123456785 GB"}


@pytest.fixture(scope="module")
def others(market: Market) -> Person:
    return market.person("seller")


@pytest.fixture(scope="module")
def admin(market: Market) -> Person:
    return market.admin()


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    else:
        yield value


def test_two_sellers_bring_one_order_to_its_buyer(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    order_id = sold(market, buyer, (seller, 10.0), (others, 20.0), (seller, 30.0)).order_id
    mine, theirs = (part_of(market, who, order_id)["parcels"][0]["parcelId"] for who in (seller, others))
    assert order_of(market, buyer, order_id)["status"] == "confirmed"

    answer = do(market, seller, mine, "process")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["orderId"]) == ("processing", order_id)
    assert order_of(market, buyer, order_id)["status"] == "processing"
    assert part_of(market, others, order_id)["status"] == "confirmed"
    answer = do(market, seller, mine, "ship", SHIPPED)
    assert {name: answer.json()[name] for name in SHIPPED} == SHIPPED
    send(market, seller, mine, "deliver")
    seen = order_of(market, buyer, order_id)
    assert (seen["status"], seen["deliveredAt"]) == ("processing", None)
    send(market, others, theirs)

    seen = order_of(market, buyer, order_id)
    assert seen["status"] == "delivered"
    assert seen["deliveredAt"] is not None
    assert [step["toStatus"] for step in seen["history"]] == [
        *("pending", "confirmed", "processing", "shipped", "delivered")
    ]
    assert {line["status"] for line in seen["items"]} == {"delivered"}
    first, second = seen["parcels"]
    assert (first["number"], second["number"]) == (1, 2)
    by_seller = {parcel["sellerId"]: parcel for parcel in seen["parcels"]}
    assert {name: by_seller[seller.user_id][name] for name in SHIPPED} == SHIPPED
    assert [len(by_seller[who.user_id]["lines"]) for who in (seller, others)] == [2, 1]
    assert (first["warehouseCountry"], first["promisedOn"]) == ("US", seen["estimatedDelivery"])
    assert [step["toStatus"] for step in part_of(market, seller, order_id)["parcels"][0]["history"]] == [
        *("pending", "confirmed", "processing", "shipped", "delivered")
    ]
    published = market.sql.execute(
        "select event_type from outbox_events where aggregate_type = 'parcel' and aggregate_id = %s order by sequence",
        (mine,),
    ).fetchall()
    assert published == [("ParcelProcessing",), ("ParcelShipped",), ("ParcelDelivered",)]


def test_nobody_sees_anothers_line_amount_or_buyer(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.01))
    listed = market.client.get("/api/v1/sellers/me/orders", params={"q": sale.number}, headers=seller.headers).json()
    whole = order_of(market, buyer, sale.order_id)
    foreign = {
        *leaves([line for line in whole["items"] if line["sellerId"] == others.user_id]),
        *leaves([parcel["parcelId"] for parcel in whole["parcels"] if parcel["sellerId"] == others.user_id]),
        *(whole[name] for name in ("tax", "shipping", "total")),
        *(whole["payment"].values()),
        *(buyer.user_id, buyer.email, others.user_id, 30.01),
    }
    common = {"confirmed", "standard", "new", 1, 0, None}

    for seen in (listed, part_of(market, seller, sale.order_id)):
        assert set(leaves(seen)) & (foreign - common) == set()
        assert 10.0 in set(leaves(seen))
    assert part_of(market, seller, sale.order_id)["subtotal"] == 10.0
    for who in (seller, others):
        problem(market.client.get(f"/api/v1/orders/{sale.order_id}", headers=who.headers), 404, "order-not-found")
        problem(market.post(who, f"{sale.order_id}/advance", {"status": "processing"}), 404, "order-not-found")


async def test_a_sellers_part_is_one_round_trip(market: Market, buyer: Person, seller: Person, others: Person) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.0))
    actor = Actor("seller", UUID(seller.user_id))
    async with opened(market.database_url) as db:
        with watched_wire() as wire:
            async with db.read() as tx:
                part = await seller_order(tx, actor, UUID(sale.order_id))

    assert [[statement.split()[0] for statement in trip] for trip in wire.trips] == [["SELECT"]]
    assert [line.price for parcel in part.parcels for line in parcel.lines] == [Decimal("10.00")]


def test_only_its_seller_moves_a_parcel(market: Market, buyer: Person, seller: Person, others: Person) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.0))
    parcel_id = part_of(market, seller, sale.order_id)["parcels"][0]["parcelId"]
    stranger = market.person("seller")

    for what in ("process", "ship", "deliver"):
        for who in (others, stranger):
            problem(do(market, who, parcel_id, what), 404, "parcel-not-found")
        problem(do(market, buyer, parcel_id, what), 403, "forbidden")
    problem(do(market, seller, "not-an-id", "process"), 404, "parcel-not-found")
    path = f"/api/v1/sellers/me/orders/{sale.order_id}"
    problem(market.client.get(path, headers=stranger.headers), 404, "order-not-found")
    problem(market.client.get(path, headers=buyer.headers), 403, "forbidden")
    assert order_of(market, buyer, sale.order_id)["status"] == "confirmed"


def test_a_parcel_takes_one_step_after_the_other(market: Market, buyer: Person, seller: Person) -> None:
    order_id, _ = market.place(buyer, seller)
    parcel_id = part_of(market, seller, order_id)["parcels"][0]["parcelId"]

    for what in ("ship", "deliver"):
        assert problem(do(market, seller, parcel_id, what), 409, "order-state")["parcelStatus"] == "confirmed"
    first = do(market, seller, parcel_id, "process", key="process-once")
    again = do(market, seller, parcel_id, "process", key="process-once")
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    problem(do(market, seller, parcel_id, "process"), 409, "order-state")
    wrong = do(market, seller, parcel_id, "ship", {"carrier": "DHL", "trackingNumber": "a\u202eb"})
    assert problem(wrong, 422, "validation-failed")["errors"][0]["pointer"] == "/trackingNumber"
    send(market, seller, parcel_id, "ship", "deliver")
    assert order_of(market, buyer, order_id)["status"] == "delivered"


def test_the_address_is_seen_while_the_parcel_is_under_way(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.0))
    parcel_id = part_of(market, seller, sale.order_id)["parcels"][0]["parcelId"]
    address = order_of(market, buyer, sale.order_id)["shippingAddress"]

    for what in ("process", "ship", "deliver"):
        assert part_of(market, seller, sale.order_id)["shippingAddress"] == address
        send(market, seller, parcel_id, what)
    assert part_of(market, seller, sale.order_id)["shippingAddress"] is None
    assert part_of(market, others, sale.order_id)["shippingAddress"] == address


def test_a_buyer_cancels_only_while_nothing_is_on_its_way(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.0))
    parcel_id = part_of(market, seller, sale.order_id)["parcels"][0]["parcelId"]
    send(market, seller, parcel_id, "process", "ship")
    assert order_of(market, buyer, sale.order_id)["status"] == "processing"
    problem(market.post(buyer, f"{sale.order_id}/cancel"), 409, "order-state")

    other = sold(market, buyer, (seller, 10.0), (others, 20.0))
    send(market, seller, part_of(market, seller, other.order_id)["parcels"][0]["parcelId"], "process")
    assert market.post(buyer, f"{other.order_id}/cancel").status_code == 200
    seen = order_of(market, buyer, other.order_id)
    assert [seen["status"], *(parcel["status"] for parcel in seen["parcels"])] == ["cancelled"] * 3
    assert seen["payment"]["refunded"] == seen["total"]
    assert part_of(market, seller, other.order_id)["shippingAddress"] is None


def test_an_administrator_moves_all_parcels_that_are_behind(
    market: Market, buyer: Person, seller: Person, others: Person, admin: Person
) -> None:
    sale = sold(market, buyer, (seller, 10.0), (others, 20.0))
    parcel_id = part_of(market, seller, sale.order_id)["parcels"][0]["parcelId"]
    send(market, seller, parcel_id, "process")
    problem(market.post(admin, f"{sale.order_id}/advance", {"status": "shipped"}), 409, "order-state")

    for status in ("processing", "shipped", "delivered"):
        answer = market.post(admin, f"{sale.order_id}/advance", {"status": status})
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    problem(market.post(admin, f"{sale.order_id}/advance", {"status": "delivered"}), 409, "order-state")
    assert [parcel["status"] for parcel in order_of(market, buyer, sale.order_id)["parcels"]] == ["delivered"] * 2


def test_a_sellers_orders_are_listed_filtered_and_paged(market: Market, buyer: Person, others: Person) -> None:
    shop = market.person("seller")
    sales = [sold(market, buyer, (shop, 10.0), (others, 20.0), (shop, 5.0)) for _ in range(5)]
    path = "/api/v1/sellers/me/orders"

    def listed(**query: Any) -> list[str]:
        answer = market.client.get(path, params=query, headers=shop.headers)
        assert answer.status_code == 200, answer.text
        return [order["orderId"] for order in answer.json()["orders"]]

    newest = [sale.order_id for sale in reversed(sales)]
    page = market.client.get(path, params={"limit": 2}, headers=shop.headers).json()
    assert page["pagination"]["total"] == 5
    assert [(one["itemCount"], one["subtotal"], len(one["parcels"])) for one in page["orders"]] == [(2, 15.0, 1)] * 2
    seen = [order["orderId"] for order in page["orders"]]
    while cursor := page["pagination"]["nextCursor"]:
        page = market.client.get(path, params={"limit": 2, "cursor": cursor}, headers=shop.headers).json()
        seen += [order["orderId"] for order in page["orders"]]
    assert seen == newest
    assert listed(limit=2, page=3) == newest[4:]

    first = part_of(market, shop, newest[0])["parcels"][0]["parcelId"]
    send(market, shop, first, "process")
    assert listed(status="processing") == newest[:1]
    assert listed(status="confirmed") == newest[1:]
    assert listed(q=sales[2].number) == [sales[2].order_id]
    assert listed(q=sales[2].number[1:]) == []
    assert listed(q="%") == []
    day = order_of(market, buyer, newest[0])["createdAt"][:10]
    assert listed(**{"from": day, "to": day}) == newest
    assert listed(to="2020-01-01") == []
    problem(market.client.get(path, params={"status": "lost"}, headers=shop.headers), 422, "validation-failed")
    problem(
        market.client.get(path, params={"limit": 2, "cursor": cursor or "x"}, headers=shop.headers),
        422,
        "validation-failed",
    )
    problem(market.client.get(path, headers=buyer.headers), 403, "forbidden")
