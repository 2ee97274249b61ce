"""The buyer chooses whether the parcels of one seller wait for each other."""

from typing import Any

import pytest

from api.operations.invariants.run import violations
from tests.harness.buying import Market
from tests.harness.parcels import do, order_of, part_of, send, stocked_in_leeds
from tests.harness.shop import Person, problem


@pytest.fixture(scope="module")
def others(market: Market) -> Person:
    return market.person("seller")


def sold(market: Market, buyer: Person, sellers: tuple[Person, Person], preference: str | None) -> dict[str, Any]:
    """An order from two warehouses of the first seller and one of the second."""
    first, second = sellers
    products = [
        market.product(first, stock=9),
        stocked_in_leeds(market, first, 9),
        market.product(second, stock=9),
    ]
    chosen = {} if preference is None else {"shippingPreference": preference}
    answer = market.buy(buyer, market.order_body(*((product, 1) for product in products), **chosen))
    assert answer.status_code == 201, answer.text
    return order_of(market, buyer, answer.json()["orderId"])


def test_parcels_of_one_seller_wait_for_each_other_and_come_by_the_latest_day(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    alone = sold(market, buyer, (seller, others), None)
    order = sold(market, buyer, (seller, others), "together")
    assert (alone["shippingPreference"], order["shippingPreference"]) == ("as_ready", "together")
    days = {parcel["warehouseCountry"]: parcel["promisedOn"] for parcel in alone["parcels"]}
    assert days["US"] < days["GB"] == order["estimatedDelivery"]
    promised = [(parcel["sellerId"], parcel["promisedOn"]) for parcel in order["parcels"]]
    assert sorted(promised) == sorted(
        [(seller.user_id, days["GB"]), (seller.user_id, days["GB"]), (others.user_id, days["US"])]
    )
    assert order["shipping"] == alone["shipping"]

    part = part_of(market, seller, order["orderId"])
    assert part["shippingPreference"] == "together"
    near, far = part["parcels"]
    send(market, seller, near["parcelId"], "process")
    refused = problem(do(market, seller, near["parcelId"], "ship"), 409, "others-not-ready")
    assert refused["parcels"] == [far["number"]]
    (theirs,) = part_of(market, others, order["orderId"])["parcels"]
    send(market, others, theirs["parcelId"])
    send(market, seller, far["parcelId"], "process")
    for parcel in (near, far):
        send(market, seller, parcel["parcelId"], "ship", "deliver")
    assert order_of(market, buyer, order["orderId"])["status"] == "delivered"


def test_parcels_go_as_they_are_ready_when_nothing_else_is_asked_for(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    order = sold(market, buyer, (seller, others), "as_ready")

    send(market, seller, part_of(market, seller, order["orderId"])["parcels"][0]["parcelId"])


def test_a_cancelled_parcel_keeps_nobody_waiting(market: Market, buyer: Person, seller: Person, others: Person) -> None:
    order = sold(market, buyer, (seller, others), "together")
    near, far = part_of(market, seller, order["orderId"])["parcels"]
    send(market, seller, near["parcelId"], "process")
    assert do(market, seller, far["parcelId"], "cancel", {"reasonCode": "out_of_stock"}).status_code == 200

    send(market, seller, near["parcelId"], "ship")

    assert violations(market.database_url) == []


def test_another_wish_is_refused_by_name(market: Market, buyer: Person, seller: Person) -> None:
    body = market.order_body((market.product(seller), 1), shippingPreference="never")

    refused = problem(market.buy(buyer, body), 422, "validation-failed")

    assert refused["errors"] == [
        {"pointer": "/shippingPreference", "message": "Input should be 'together' or 'as_ready'"}
    ]
