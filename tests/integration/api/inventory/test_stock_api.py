"""What sellers do with their stock over HTTP: see where it can be, count, move, announce and receive it, and hear that
few are left."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.harness.buying import Market
from tests.harness.invariants import assert_invariants
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem

API = "/api/v1/inventory"


def variant_of(product: dict[str, Any]) -> str:
    return str(product["variants"][0]["variantId"])


def seen(market: Market, seller: Person, variant: str) -> httpx.Response:
    answer = market.client.get(f"{API}/variants/{variant}", headers=seller.headers)
    assert answer.status_code == 200, answer.text
    return answer


def home_of(market: Market, seller: Person, variant: str) -> str:
    """The warehouse where the harness puts stock."""
    return str(seen(market, seller, variant).json()["warehouses"][0]["warehouseId"])


def count(market: Market, who: Person, variant: str, place: str, units: object, *, tag: str | None = None) -> Any:
    headers = who.headers if tag is None else {**who.headers, "If-Match": tag}
    return market.client.put(f"{API}/variants/{variant}/warehouses/{place}", json={"available": units}, headers=headers)


def keyed(market: Market, who: Person, path: str, body: dict[str, Any], key: str | None = None) -> Any:
    headers = {**who.headers, "Idempotency-Key": key or next(market.keys)}
    return market.client.post(f"{API}{path}", json=body, headers=headers)


def alerts(market: Market, variant: str) -> list[dict[str, Any]]:
    rows = market.sql.execute(
        "select payload from outbox_events where event_type = 'StockLow' and payload->>'variantId' = %s"
        " order by created_at",
        (variant,),
    )
    return [payload for (payload,) in rows.fetchall()]


def test_every_warehouse_is_listed_with_where_it_is(market: Market, seller: Person) -> None:
    for number in range(5):
        market.warehouse(f"LIST-{number}", "NZ", -41.3 + number, 174.8)
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2, "country": "NZ"}
    while True:
        page = market.client.get(f"{API}/warehouses", params=query, headers=seller.headers).json()
        found += page["warehouses"]
        if not page["pagination"]["hasMore"]:
            break
        query["cursor"] = page["pagination"]["nextCursor"]

    assert [(one["code"], one["country"], one["latitude"], one["longitude"]) for one in found] == [
        (f"LIST-{number}", "NZ", -41.3 + number, 174.8) for number in range(5)
    ]
    by_page = market.client.get(
        f"{API}/warehouses", params={"limit": 2, "page": 3, "country": "NZ"}, headers=seller.headers
    ).json()
    assert by_page["warehouses"] == found[4:]
    problem(market.client.get(f"{API}/warehouses"), 401, "not-authenticated")


def test_a_seller_lists_their_own_variants_and_those_of_which_few_are_left(market: Market) -> None:
    seller, other = market.person("seller"), market.person("seller")
    plenty, few = market.product(seller, stock=100), market.product(seller, stock=3)
    market.product(other, stock=1)

    def listed(who: Person = seller, **query: Any) -> list[tuple[str, int, bool]]:
        page = market.client.get(f"{API}/variants", params=query, headers=who.headers).json()
        return [(one["variantId"], one["stock"], one["low"]) for one in page["variants"]]

    one, two = (variant_of(plenty), 100, False), (variant_of(few), 3, True)
    assert sorted(listed()) == sorted([one, two])
    assert listed(low=True) == [two]
    assert listed(low=False) == [one]
    assert listed(market.person()) == []
    nowhere = market.warehouse("NOWHERE")
    assert listed(warehouseId=nowhere) == []
    assert count(market, seller, variant_of(few), nowhere, 4).status_code == 200
    assert listed(warehouseId=nowhere) == [(variant_of(few), 7, True)]
    first = market.client.get(f"{API}/variants", params={"limit": 1}, headers=seller.headers).json()
    rest = listed(limit=1, cursor=first["pagination"]["nextCursor"])
    assert sorted([first["variants"][0]["variantId"], rest[0][0]]) == sorted([variant_of(plenty), variant_of(few)])
    changed = market.client.patch(f"{API}/variants/{variant_of(few)}", json={"lowStockAt": 6}, headers=seller.headers)
    assert (changed.json()["stock"], changed.json()["lowStockAt"]) == (7, 6)
    assert listed(low=True) == []


def test_a_count_books_the_difference_once(market: Market, seller: Person) -> None:
    variant = variant_of(market.product(seller, stock=20))
    home = home_of(market, seller, variant)

    first = count(market, seller, variant, home, 17)
    again = count(market, seller, variant, home, 17)

    assert [first.json()[name] for name in ("change", "available", "stock")] == [-3, 17, 17]
    assert [again.json()[name] for name in ("change", "available", "stock")] == [0, 17, 17]
    assert again.json()["transactionId"] is None
    assert again.json()["version"] == first.json()["version"]
    recent = seen(market, seller, variant).json()["recent"]
    assert next((row["type"], row["change"], row["transactionId"]) for row in recent) == (
        "count", -3, first.json()["transactionId"],
    )  # fmt: skip
    assert len(recent) == 2


def test_a_count_of_stock_that_was_sold_meanwhile_is_refused(market: Market, seller: Person, buyer: Person) -> None:
    """B5 of the cases, for a count: 10 were read, 3 are sold, 10 are counted."""
    product = market.product(seller, stock=10)
    variant = variant_of(product)
    read = seen(market, seller, variant)
    home = read.json()["warehouses"][0]["warehouseId"]
    assert market.buy(buyer, market.order_body((product, 3))).status_code == 201

    refused = problem(count(market, seller, variant, home, 10, tag=read.headers["etag"]), 412, "stock-changed")

    assert refused["available"] == 7
    assert market.stock_of(product) == (7, 0)
    now = seen(market, seller, variant)
    assert now.json()["version"] == refused["version"] > read.json()["version"]
    counted = count(market, seller, variant, home, 6, tag=now.headers["etag"])
    assert (counted.status_code, counted.json()["stock"]) == (200, 6)
    # The answer's tag is the next count's.
    assert count(market, seller, variant, home, 5, tag=counted.headers["etag"]).status_code == 200
    problem(count(market, seller, variant, home, 9, tag='"nonsense"'), 412, "stock-changed")


def test_of_two_counts_of_what_was_read_one_is_booked(market: Market, seller: Person) -> None:
    variant = variant_of(market.product(seller, stock=10))
    read = seen(market, seller, variant)
    home, tag = read.json()["warehouses"][0]["warehouseId"], read.headers["etag"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda units: count(market, seller, variant, home, units, tag=tag), range(1, 9)))

    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    (booked,) = [answer.json()["available"] for answer in answers if answer.status_code == 200]
    assert seen(market, seller, variant).json()["stock"] == booked


@pytest.mark.parametrize("units", [-1, 1_000_001, 1.5, "3", None, True, 10**30])
def test_a_count_that_is_none_is_refused(market: Market, seller: Person, units: object) -> None:
    product = market.product(seller, stock=4)
    variant = variant_of(product)

    (error,) = problem(
        count(market, seller, variant, home_of(market, seller, variant), units), 422, "validation-failed"
    )["errors"]

    assert error["pointer"] == "/available"
    assert market.stock_of(product) == (4, 0)


def test_a_transfer_is_two_rows_of_the_journal_and_no_change_of_stock(market: Market, seller: Person) -> None:
    variant = variant_of(market.product(seller, stock=9))
    home, goal = home_of(market, seller, variant), market.warehouse("GOAL")
    body = {"variantId": variant, "fromWarehouseId": home, "toWarehouseId": goal, "quantity": 4}

    answer = keyed(market, seller, "/transfers", body, key="one-transfer")
    again = keyed(market, seller, "/transfers", body, key="one-transfer")

    assert answer.status_code == 201, answer.text
    assert again.content == answer.content
    assert (answer.json()["fromAvailable"], answer.json()["toAvailable"]) == (5, 4)
    stock = seen(market, seller, variant).json()
    assert stock["stock"] == 9
    assert {(level["warehouseId"], level["available"]) for level in stock["warehouses"]} == {(home, 5), (goal, 4)}
    rows = [row for row in stock["recent"] if row["type"] == "transfer"]
    assert {(row["warehouseId"], row["change"]) for row in rows} == {(home, -4), (goal, 4)}
    assert {row["referenceId"] for row in rows} == {answer.json()["transferId"]}
    assert {row["at"] for row in rows} == {rows[0]["at"]}, "both rows are of one statement"


def test_a_transfer_moves_no_more_than_there_is_and_nobody_elses(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=3)
    variant = variant_of(product)
    home, goal = home_of(market, seller, variant), market.warehouse("GOAL")
    body = {"variantId": variant, "fromWarehouseId": home, "toWarehouseId": goal, "quantity": 4}

    refused = problem(keyed(market, seller, "/transfers", body), 409, "stock-below-zero")
    assert refused["errors"][0]["pointer"] == "/quantity"

    assert refused["available"] == 3
    problem(keyed(market, seller, "/transfers", {**body, "toWarehouseId": home}), 422, "same-warehouse")
    problem(keyed(market, seller, "/transfers", {**body, "toWarehouseId": str(uuid4())}), 404, "warehouse-not-found")
    problem(
        keyed(market, seller, "/transfers", {**body, "fromWarehouseId": goal, "toWarehouseId": home}),
        409,
        "stock-below-zero",
    )
    for quantity in (0, -1, 1.5, 10**9):
        problem(keyed(market, seller, "/transfers", {**body, "quantity": quantity}), 422, "validation-failed")
    for stranger in (market.person("seller"), market.person()):
        problem(keyed(market, stranger, "/transfers", {**body, "quantity": 1}), 404, "variant-not-found")
        problem(count(market, stranger, variant, home, 1), 404, "variant-not-found")
        path = f"{API}/variants/{variant}"
        problem(market.client.patch(path, json={"lowStockAt": 1}, headers=stranger.headers), 404, "variant-not-found")
    assert market.stock_of(product) == (3, 0)
    assert [level["available"] for level in seen(market, seller, variant).json()["warehouses"]] == [3]


def test_simultaneous_transfers_and_orders_neither_lose_nor_make_units(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=30)
    variant = variant_of(product)
    home, goal = home_of(market, seller, variant), market.warehouse("GOAL")
    there = {"variantId": variant, "fromWarehouseId": home, "toWarehouseId": goal, "quantity": 2}
    back = {**there, "fromWarehouseId": goal, "toWarehouseId": home, "quantity": 1}
    guests = [guest_headers(f"transfer-{number}") for number in range(8)]

    def step(number: int) -> int:
        if number % 3 == 2:
            body = market.order_body((product, 1), email="g@example.com")
            return int(market.buy(guests[number // 3], body, f"transfer-{number}").status_code)
        moved = there if number % 3 else back
        return int(keyed(market, seller, "/transfers", moved, key=f"transfer-{number}").status_code)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(step, range(24)))

    assert set(codes) <= {201, 409}
    sold = market.scalar("select coalesce(sum(quantity), 0) from order_items where variant_id = %s", (variant,))
    available, reserved = market.stock_of(product)
    assert (available + sold, reserved) == (30, 0)


def test_what_is_on_its_way_becomes_stock_when_it_arrives(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=1)
    variant, place = variant_of(product), market.warehouse("INBOUND")
    body = {"variantId": variant, "warehouseId": place, "quantity": 10, "expectedOn": "2999-12-31"}

    sent = keyed(market, seller, "/replenishments", body)

    assert sent.status_code == 201, sent.text
    path = f"/replenishments/{sent.json()['replenishmentId']}"
    assert (sent.json()["status"], sent.json()["received"], sent.json()["expectedOn"]) == ("open", 0, "2999-12-31")

    def there() -> tuple[int, int]:
        level = next(one for one in seen(market, seller, variant).json()["warehouses"] if one["warehouseId"] == place)
        return level["available"], level["inbound"]

    assert there() == (0, 10)
    some = keyed(market, seller, f"{path}/receipts", {"quantity": 4}, key="first-delivery")
    again = keyed(market, seller, f"{path}/receipts", {"quantity": 4}, key="first-delivery")
    assert (some.json()["received"], some.json()["status"]) == (4, "open")
    assert again.content == some.content
    assert there() == (4, 6)
    many = problem(keyed(market, seller, f"{path}/receipts", {"quantity": 7}), 409, "replenishment-closed")
    assert (many["open"], many["errors"][0]["pointer"]) == (6, "/quantity")
    rest = keyed(market, seller, f"{path}/receipts", {})
    assert (rest.json()["received"], rest.json()["status"]) == (10, "received")
    assert there() == (10, 0)
    assert market.detail(product["productId"])["variants"][0]["stock"] == 11
    problem(keyed(market, seller, f"{path}/receipts", {}), 409, "replenishment-closed")
    listed = market.client.get(f"{API}/variants/{variant}/replenishments", headers=seller.headers).json()
    assert listed["replenishments"] == [rest.json()]


def test_the_rest_of_a_replenishment_can_be_cancelled(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=1)
    variant = variant_of(product)
    home = home_of(market, seller, variant)
    body = {"variantId": variant, "warehouseId": home, "quantity": 5}
    path = f"/replenishments/{keyed(market, seller, '/replenishments', body).json()['replenishmentId']}"
    keyed(market, seller, f"{path}/receipts", {"quantity": 2})

    for _ in range(2):
        gone = market.client.delete(f"{API}{path}", headers=seller.headers)
        assert (gone.status_code, gone.json()["status"], gone.json()["received"]) == (200, "cancelled", 2)

    assert seen(market, seller, variant).json()["warehouses"][0]["inbound"] == 0
    problem(keyed(market, seller, f"{path}/receipts", {}), 409, "replenishment-closed")
    stranger = market.person("seller")
    problem(market.client.delete(f"{API}{path}", headers=stranger.headers), 404, "replenishment-not-found")
    problem(keyed(market, stranger, f"{path}/receipts", {}), 404, "replenishment-not-found")
    problem(keyed(market, seller, "/replenishments", {**body, "expectedOn": "2020-01-01"}), 422, "validation-failed")
    problem(market.client.delete(f"{API}/replenishments/x", headers=seller.headers), 404, "replenishment-not-found")


def test_a_stock_that_falls_to_its_threshold_is_told_once_a_crossing(
    market: Market, seller: Person, buyer: Person
) -> None:
    product = market.product(seller, stock=17)
    variant = variant_of(product)
    home = home_of(market, seller, variant)

    def buy(units: int) -> str:
        answer = market.buy(buyer, market.order_body((product, units)))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["orderId"])

    buy(1)
    assert alerts(market, variant) == []
    order = buy(1)
    fallen = {"variantId": variant, "productId": product["productId"], "stock": 15, "threshold": 15, "forecast": None}
    assert alerts(market, variant) == [fallen]
    buy(1)
    assert alerts(market, variant) == [fallen], "below the threshold it is known"
    count(market, seller, variant, home, 16)
    assert len(alerts(market, variant)) == 1
    count(market, seller, variant, home, 3)
    assert alerts(market, variant) == [fallen, {**fallen, "stock": 3}]
    # A new product, and what comes back, rises; a transfer changes nothing.
    market.client.patch(f"{API}/variants/{variant}", json={"lowStockAt": 3}, headers=seller.headers)
    market.client.post(
        f"/api/v1/orders/{order}/cancel", json={}, headers={**buyer.headers, "Idempotency-Key": next(market.keys)}
    )
    body = {"variantId": variant, "fromWarehouseId": home, "toWarehouseId": market.warehouse("GOAL"), "quantity": 4}
    assert keyed(market, seller, "/transfers", body).status_code == 201
    assert len(alerts(market, variant)) == 2
    buy(1)
    assert alerts(market, variant)[2:] == [{**fallen, "stock": 3, "threshold": 3}]


def test_simultaneous_orders_cross_a_threshold_once(market: Market, seller: Person) -> None:
    product = market.product(seller, stock=20)

    def buy(number: int) -> int:
        body = market.order_body((product, 1), email="g@example.com")
        return int(market.buy(guest_headers(f"crossing-{number}"), body, f"crossing-{number}").status_code)

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(buy, range(10))) == {201}

    (alert,) = alerts(market, variant_of(product))
    assert 10 <= alert["stock"] <= 15, "orders that share a statement cross it together"


def test_the_nearest_warehouse_sends_and_its_parcel_says_why(market: Market, seller: Person, buyer: Person) -> None:
    """The buyer is in Chicago: Virginia is nearer than California, whose warehouse is fuller. The buyer sees from where
    it comes; why is for the seller and for administrators."""
    product = market.product(seller, stock=0)
    variant = variant_of(product)
    near, far = market.warehouse("EAST", "US", 38.9, -77.4), market.warehouse("WEST", "US", 37.4, -121.9)
    for place, units in ((near, 3), (far, 30)):
        assert count(market, seller, variant, place, units).status_code == 200
    admin = market.admin()

    def sent(units: int) -> dict[str, dict[str, Any]]:
        answer = market.buy(buyer, market.order_body((product, units)))
        assert answer.status_code == 201, answer.text
        order = f"/api/v1/orders/{answer.json()['orderId']}"
        bought, full = (market.client.get(order, headers=who.headers).json()["parcels"] for who in (buyer, admin))
        sold = market.client.get(order.replace("/orders", "/sellers/me/orders"), headers=seller.headers).json()
        assert {parcel["shipsFrom"] for parcel in (*bought, *full, *sold["parcels"])} == {"Leeds, US"}
        assert [parcel["allocation"] for parcel in bought] == [None] * len(bought)
        assert [parcel["allocation"] for parcel in full] == [parcel["allocation"] for parcel in sold["parcels"]]
        return {parcel["warehouseId"]: parcel["allocation"] for parcel in sold["parcels"]}

    one, two = {"rule": "one_warehouse", "warehouses": 1}, {"rule": "two_warehouses", "warehouses": 2}
    east, west = {"cost": 2.04, "kilometres": 1_020}, {"cost": 5.67, "kilometres": 2_836}
    assert sent(2) == {near: {**one, **east, "candidates": 2}}
    assert sent(2) == {far: {**one, **west, "candidates": 1}}
    assert sent(29) == {
        far: {**two, **west, "candidates": 1},
        near: {**two, **east, "candidates": 1},
    }
    assert "allocation" not in str(market.scalar("select plan from checkouts order by created_at desc limit 1"))


def test_the_invariants_hold_after_all_of_this(market: Market) -> None:
    assert_invariants(market.database_url)
