"""An order to several addresses: each is taxed, charged and promised as an order of its own, and sent in its own
parcels."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from api.operations.invariants.run import violations
from tests.harness.buying import ADDRESS, Market
from tests.harness.parcels import do, order_of, part_of, send, stocked_in_leeds
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem

PORTUGAL = {"street": "Rua Augusta 1", "city": "Lisboa", "zipCode": "1100-048", "country": "PT"}
JAPAN = {"street": "1-1", "city": "Chiyoda", "state": "Tokyo", "zipCode": "100-0001", "country": "JP"}
AMOUNTS = ("subtotal", "tax", "taxIncluded", "shipping", "discount", "total")


@pytest.fixture(scope="module")
def others(market: Market) -> Person:
    return market.person("seller")


def variant(product: Mapping[str, Any]) -> str:
    return str(product["variants"][0]["variantId"])


def to(address: Mapping[str, Any], *lines: tuple[Mapping[str, Any], int]) -> dict[str, Any]:
    return {
        "shippingAddress": dict(address),
        "lines": [{"variantId": variant(product), "quantity": units} for product, units in lines],
    }


def placed(market: Market, buyer: Person, body: dict[str, Any]) -> dict[str, Any]:
    answer = market.buy(buyer, body)
    assert answer.status_code == 201, answer.text
    return order_of(market, buyer, answer.json()["orderId"])


def test_each_address_costs_and_promises_what_an_order_to_it_does(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    cup = market.product(seller, stock=60, price=19.95)
    book = stocked_in_leeds(market, others, 60, price=7.35)
    gifts: dict[str, Any] = {"destinations": [to(PORTUGAL, (cup, 2), (book, 1)), to(JAPAN, (book, 3))]}

    order = placed(market, buyer, market.order_body((cup, 5), (book, 4), **gifts))
    alone = [
        placed(market, buyer, market.order_body((cup, 3))),
        placed(market, buyer, market.order_body((cup, 2), (book, 1), shippingAddress=PORTUGAL)),
        placed(market, buyer, market.order_body((book, 3), shippingAddress=JAPAN)),
    ]

    for name in AMOUNTS:
        assert Decimal(str(order[name])) == sum(Decimal(str(one[name])) for one in alone), name
    assert order["estimatedDelivery"] == max(one["estimatedDelivery"] for one in alone)
    assert order["shippingAddress"] == ADDRESS

    def seen(orders: list[dict[str, Any]]) -> list[tuple[str, ...]]:
        return sorted(
            (
                parcel["shippingAddress"]["country"],
                parcel["sellerId"],
                parcel["promisedOn"],
                *(f"{line['title']} {line['quantity']}" for line in parcel["lines"]),
            )
            for one in orders
            for parcel in one["parcels"]
        )

    assert seen([order]) == seen(alone)
    assert [parcel["number"] for parcel in order["parcels"]] == [1, 2, 3, 4]
    lines = sorted((one["taxRate"], one["taxAmount"], one["quantity"]) for one in order["items"])
    assert lines == sorted(
        (one["taxRate"], one["taxAmount"], one["quantity"]) for part in alone for one in part["items"]
    )


def test_a_seller_sees_where_their_own_parcels_go_and_no_other_address(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    cup, book = market.product(seller, stock=9), market.product(others, stock=9)
    order = placed(
        market, buyer, market.order_body((cup, 2), (book, 1), destinations=[to(PORTUGAL, (cup, 1), (book, 1))])
    )

    mine, theirs = part_of(market, seller, order["orderId"]), part_of(market, others, order["orderId"])
    assert [parcel["shippingAddress"] for parcel in mine["parcels"]] == [ADDRESS, PORTUGAL]
    assert (mine["shippingAddress"], theirs["shippingAddress"]) == (ADDRESS, None)
    (gift,) = theirs["parcels"]
    assert gift["shippingAddress"] == PORTUGAL
    assert ADDRESS["street"] not in str(theirs)
    home, away = mine["parcels"]
    send(market, seller, home["parcelId"])
    after = part_of(market, seller, order["orderId"])
    assert after["shippingAddress"] is None
    assert [parcel["shippingAddress"] for parcel in after["parcels"]] == [None, PORTUGAL]
    split = do(market, others, gift["parcelId"], "cancel", {"reasonCode": "damaged"})
    assert split.status_code == 200, split.text
    assert part_of(market, others, order["orderId"])["parcels"][0]["shippingAddress"] is None
    send(market, seller, away["parcelId"])
    assert order_of(market, buyer, order["orderId"])["status"] == "delivered"


def test_a_parcel_that_goes_elsewhere_does_so_when_it_is_split(market: Market, buyer: Person, seller: Person) -> None:
    cup = market.product(seller, stock=9)
    order = placed(market, buyer, market.order_body((cup, 4), destinations=[to(PORTUGAL, (cup, 3))]))
    away = part_of(market, seller, order["orderId"])["parcels"][1]
    some = {"lines": [{"orderItemId": away["lines"][0]["orderItemId"], "quantity": 1}]}

    assert do(market, seller, away["parcelId"], "split", some).status_code == 200

    addresses = [parcel["shippingAddress"] for parcel in part_of(market, seller, order["orderId"])["parcels"]]
    assert addresses == [ADDRESS, PORTUGAL, PORTUGAL]


def test_addresses_share_the_stock_there_is(market: Market, buyer: Person, seller: Person) -> None:
    cup = market.product(seller, stock=3)
    wanted = market.order_body((cup, 4), destinations=[to(PORTUGAL, (cup, 2))])

    short = problem(market.buy(buyer, wanted), 409, "out-of-stock")
    assert [(one["requested"], one["available"]) for one in short["items"]] == [(4, 3)]
    assert market.stock_of(cup) == (3, 0)
    declined = market.order_body((cup, 3), destinations=[to(PORTUGAL, (cup, 2))], token="pm_sandbox_declined")
    problem(market.buy(buyer, declined), 402, "payment-declined")
    assert market.stock_of(cup) == (3, 0)
    order = placed(market, buyer, market.order_body((cup, 3), destinations=[to(PORTUGAL, (cup, 2))]))
    assert market.stock_of(cup) == (0, 0)
    assert market.post(buyer, f"{order['orderId']}/cancel").status_code == 200
    assert market.stock_of(cup) == (3, 0)
    assert violations(market.database_url) == []


def test_a_cart_is_ordered_to_several_addresses(market: Market, buyer: Person, seller: Person) -> None:
    cup = market.product(seller, stock=9)
    book = market.client.post("/api/v1/users/me/addresses", json=PORTUGAL, headers=buyer.headers)
    line = {"productId": cup["productId"], "variantId": variant(cup), "quantity": 2}
    assert market.client.post("/api/v1/cart/items", json=line, headers=buyer.headers).status_code == 201
    saved = {"addressId": book.json()["addressId"]}

    order = placed(market, buyer, {**market.order_body(), "items": None, "destinations": [to(saved, (cup, 1))]})

    assert [parcel["shippingAddress"] for parcel in order["parcels"]] == [ADDRESS, PORTUGAL]
    assert market.client.get("/api/v1/cart", headers=buyer.headers).json()["items"] == []


def test_what_cannot_be_sent_so_is_refused_by_name(market: Market, buyer: Person, seller: Person) -> None:
    cup, other = market.product(seller, stock=9), market.product(seller, stock=9)
    saved = market.client.post("/api/v1/users/me/addresses", json=PORTUGAL, headers=market.person().headers).json()
    foreign = {"addressId": saved["addressId"]}

    def refused(code: str, *destinations: dict[str, Any], units: int = 2) -> list[str]:
        answer = market.buy(buyer, market.order_body((cup, units), destinations=list(destinations)))
        return [error["pointer"] for error in problem(answer, 422, code)["errors"]]

    assert refused("not-orderable", to(PORTUGAL, (other, 1))) == ["/destinations/0/lines/0/variantId"]
    assert refused("not-orderable", to(PORTUGAL, (cup, 1)), to(JAPAN, (cup, 2))) == ["/destinations/1/lines/0/quantity"]
    assert refused("not-orderable", to(PORTUGAL, (cup, 2))) == ["/shippingAddress"]
    assert refused("address-unknown", to(foreign, (cup, 1))) == ["/destinations/0/shippingAddress/addressId"]
    wrong = {**PORTUGAL, "zipCode": "1"}
    assert refused("address-not-valid", to(wrong, (cup, 1))) == ["/destinations/0/shippingAddress/zipCode"]
    assert refused("validation-failed", {**to(PORTUGAL), "lines": []}) == ["/destinations/0/lines"]
    agreed = market.order_body((cup, 2), destinations=[to(PORTUGAL, (cup, 1))], expectedTotal=1.0)
    assert "total" in problem(market.buy(buyer, agreed), 409, "total-changed")
    guest = guest_headers("of destinations")
    body = market.order_body((cup, 2), destinations=[to(foreign, (cup, 1))], email="g@example.com")
    problem(market.buy(guest, body), 422, "address-unknown")
    assert market.stock_of(cup) == (9, 0)


STORED = (
    "select (select count(*) from checkouts), (select count(*) from orders), (select count(*) from idempotency_keys),"
    " (select count(*) from inventory_reservations)"
)


def test_an_order_is_shown_before_it_is_placed_and_costs_that(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    cup, book = market.product(seller, stock=9), stocked_in_leeds(market, others, 9, price=7.35)
    body = market.order_body((cup, 3), (book, 2), destinations=[to(PORTUGAL, (cup, 1), (book, 2))])
    question = {name: value for name, value in body.items() if name != "paymentMethod"}

    before = market.sql.execute(STORED).fetchone()
    answer = market.client.post("/api/v1/orders/preview", json=question, headers=buyer.headers)
    assert market.sql.execute(STORED).fetchone() == before
    assert (market.stock_of(cup), market.stock_of(book)) == ((9, 0), (9, 0))
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    order = placed(market, buyer, {**body, "expectedTotal": shown["total"]})

    assert {name: shown[name] for name in AMOUNTS} == {name: order[name] for name in AMOUNTS}
    assert shown["estimatedDelivery"] == order["estimatedDelivery"]
    same = ("number", "sellerId", "shippingAddress", "promisedOn")
    assert [[one[name] for name in same] for one in shown["parcels"]] == [
        [one[name] for name in same] for one in order["parcels"]
    ]
    assert [[line["quantity"] for line in one["lines"]] for one in shown["parcels"]] == [
        [line["quantity"] for line in one["lines"]] for one in order["parcels"]
    ]
    much = {**question, "items": [{**question["items"][0], "quantity": 99}], "destinations": None}
    problem(market.client.post("/api/v1/orders/preview", json=much, headers=buyer.headers), 409, "out-of-stock")
