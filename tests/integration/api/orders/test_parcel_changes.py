"""What a seller changes of a parcel before it is sent: they split it, or they do not send some of it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from api.kernel.context import Context
from api.operations.invariants.run import violations
from api.orders.parcels.repair import fill_parcels
from tests.harness.buying import Market
from tests.harness.mailing import mailing_context, mails_to
from tests.harness.parcels import do, order_of, part_of, send
from tests.harness.shop import Person, problem

STEPS = ["pending", "confirmed", "processing", "shipped", "delivered"]


@pytest.fixture(scope="module")
def others(market: Market) -> Person:
    return market.person("seller")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    async with mailing_context(database_url, redis_url, tmp_path_factory.mktemp("mail")) as context:
        yield context


def sold(market: Market, buyer: Person, *parts: tuple[Person, float, int]) -> tuple[str, list[dict[str, Any]]]:
    """(order id, products) of an order of `units` of a new product that had nine, per part."""
    products = [market.product(seller, stock=9, price=price) for seller, price, _ in parts]
    lines = zip(products, (units for *_, units in parts), strict=True)
    answer = market.buy(buyer, market.order_body(*lines))
    assert answer.status_code == 201, answer.text
    return answer.json()["orderId"], products


def stock_of(market: Market, product: dict[str, Any]) -> int:
    variant = product["variants"][0]["variantId"]
    return int(market.scalar("select stock_quantity from product_variants where variant_id = %s", (variant,)))


def lines_of(parcel: dict[str, Any]) -> list[tuple[str, int]]:
    return [(line["title"], line["quantity"]) for line in parcel["lines"]]


def asked(parcel: dict[str, Any], *units: int) -> dict[str, Any]:
    """So many units of the first lines of a parcel."""
    return {
        "lines": [
            {"orderItemId": line["orderItemId"], "quantity": many}
            for line, many in zip(parcel["lines"], units, strict=False)
            if many
        ]
    }


def test_a_parcel_is_split_and_each_part_goes_its_own_way(market: Market, buyer: Person, seller: Person) -> None:
    order_id, (cup, saucer) = sold(market, buyer, (seller, 3.33, 3), (seller, 10.0, 1))
    (whole,) = part_of(market, seller, order_id)["parcels"]
    before = order_of(market, buyer, order_id)
    send(market, seller, whole["parcelId"], "process")
    cups = [line["title"] for line in whole["lines"]].index(cup["title"])
    units = [0, 0]
    units[cups] = 2

    answer = do(market, seller, whole["parcelId"], "split", asked(whole, *units), key="split-once")
    again = do(market, seller, whole["parcelId"], "split", asked(whole, *units), key="split-once")

    assert answer.status_code == 200, answer.text
    assert again.content == answer.content
    state = answer.json()
    assert (state["parcelId"], state["number"], state["status"]) == (whole["parcelId"], 2, "processing")
    first, second = part_of(market, seller, order_id)["parcels"]
    assert (first["number"], second["number"]) == (1, 2)
    assert second["parcelId"] == state["newParcelId"]
    assert sorted(lines_of(first)) == sorted([(cup["title"], 1), (saucer["title"], 1)])
    assert lines_of(second) == [(cup["title"], 2)]
    assert [(one["orderItemId"], one["quantity"]) for one in second["lines"]] == [
        (one["orderItemId"], one["quantity"]) for one in state["lines"]
    ]
    for name in ("warehouseId", "promisedOn"):
        assert second[name] == first[name]
    assert [step["toStatus"] for step in second["history"]] == STEPS[:3]
    after = order_of(market, buyer, order_id)
    for name in ("subtotal", "tax", "shipping", "total", "payment"):
        assert after[name] == before[name]
    assert sum(line["quantity"] for line in after["items"]) == 4
    assert round(sum(line["taxAmount"] for line in after["items"]), 2) == after["tax"]

    send(market, seller, second["parcelId"], "ship", "deliver")
    assert order_of(market, buyer, order_id)["status"] == "processing"
    send(market, seller, first["parcelId"], "ship", "deliver")
    seen = order_of(market, buyer, order_id)
    assert seen["status"] == "delivered"
    back = {"items": [{"orderItemId": one["orderItemId"], "quantity": one["quantity"]} for one in seen["items"]]}
    answer = market.post(buyer, f"{order_id}/return", {**back, "reasonCode": "damaged"})
    assert (answer.status_code, answer.json()["refundAmount"]) == (200, seen["total"]), answer.text


def test_a_split_that_leaves_nothing_or_takes_too_much_changes_nothing(
    market: Market, buyer: Person, seller: Person, others: Person
) -> None:
    order_id, _ = sold(market, buyer, (seller, 10.0, 2), (others, 20.0, 1))
    (mine,) = part_of(market, seller, order_id)["parcels"]
    (theirs,) = part_of(market, others, order_id)["parcels"]

    problem(do(market, seller, mine["parcelId"], "split", asked(mine, 2)), 409, "nothing-stays")
    wrong = problem(do(market, seller, mine["parcelId"], "split", asked(mine, 3)), 422, "not-in-parcel")
    assert wrong["errors"] == [{"pointer": "/lines/0/quantity", "message": "2 of this line are to be sent"}]
    foreign = problem(do(market, seller, mine["parcelId"], "split", asked(theirs, 1)), 422, "not-in-parcel")
    assert foreign["errors"][0]["pointer"] == "/lines/0/orderItemId"
    twice = {"lines": asked(mine, 1)["lines"] * 2}
    problem(do(market, seller, mine["parcelId"], "split", twice), 422, "validation-failed")
    for what, body in (("split", asked(mine, 1)), ("cancel", {"reasonCode": "other"})):
        problem(do(market, others, mine["parcelId"], what, body), 404, "parcel-not-found")
        problem(do(market, buyer, mine["parcelId"], what, body), 403, "forbidden")
    send(market, seller, mine["parcelId"], "process", "ship")
    assert (
        problem(do(market, seller, mine["parcelId"], "split", asked(mine, 1)), 409, "order-state")["parcelStatus"]
        == "shipped"
    )
    problem(do(market, seller, mine["parcelId"], "cancel", {"reasonCode": "other"}), 409, "order-state")
    assert len(order_of(market, buyer, order_id)["parcels"]) == 2


@pytest.mark.parametrize("case", [("wrong_price", 9), ("out_of_stock", 7)])
def test_units_that_a_seller_does_not_send_are_paid_back_with_their_shipping(
    market: Market, buyer: Person, seller: Person, others: Person, case: tuple[str, int]
) -> None:
    code, back = case
    order_id, (cup, _) = sold(market, buyer, (seller, 10.0, 2), (others, 20.0, 1))
    bought = order_of(market, buyer, order_id)
    (mine,) = part_of(market, seller, order_id)["parcels"]

    answer = do(market, seller, mine["parcelId"], "cancel", {"reasonCode": code, **asked(mine, 1)})
    assert answer.status_code == 200, answer.text
    share = round(10.0 + 0.80 + bought["shipping"] / 4, 2)
    assert (answer.json()["status"], answer.json()["refundAmount"]) == ("confirmed", pytest.approx(share, abs=0.011))
    rest = do(market, seller, mine["parcelId"], "cancel", {"reasonCode": code, "reason": "No more of it"})
    assert (rest.status_code, rest.json()["status"]) == (200, "cancelled"), rest.text

    seen = order_of(market, buyer, order_id)
    assert [seen["status"], *sorted(parcel["status"] for parcel in seen["parcels"])] == [
        *("confirmed", "cancelled", "confirmed")
    ]
    given = round(answer.json()["refundAmount"] + rest.json()["refundAmount"], 2)
    assert (seen["payment"]["refunded"], seen["payment"]["status"]) == (given, "partially_refunded")
    assert given == round(21.60 + bought["shipping"] / 2, 2)
    assert {(one["reasonCode"], one["status"], one["outboundRefunded"]) for one in seen["returns"]} == {
        ("cancelled_by_seller", "refunded", True)
    }
    assert stock_of(market, cup) == back


@pytest.mark.parametrize("case", [("buyer_asked", 9), ("damaged", 8)])
def test_the_last_parcel_that_is_not_sent_cancels_the_order_with_all_of_its_money(
    market: Market, buyer: Person, seller: Person, others: Person, case: tuple[str, int]
) -> None:
    code, back = case
    order_id, products = sold(market, buyer, (seller, 10.0, 1), (others, 20.0, 1))
    for who in (seller, others):
        (parcel,) = part_of(market, who, order_id)["parcels"]
        answer = do(market, who, parcel["parcelId"], "cancel", {"reasonCode": code})
        assert answer.status_code == 200, answer.text

    seen = order_of(market, buyer, order_id)
    assert (seen["status"], seen["payment"]["refunded"]) == ("cancelled", seen["total"])
    assert [stock_of(market, product) for product in products] == [back, back]
    assert market.money_of(order_id) == (Decimal(str(seen["total"])),) * 2


async def test_the_buyer_is_told_by_mail_and_every_invariant_holds(
    market: Market, context: Context, buyer: Person, seller: Person, others: Person
) -> None:
    order_id, (cup, _) = sold(market, buyer, (seller, 10.0, 3), (others, 20.0, 1))
    (mine,) = part_of(market, seller, order_id)["parcels"]
    body = {"reasonCode": "damaged", **asked(mine, 2)}
    answer = do(market, seller, mine["parcelId"], "cancel", body)
    assert answer.status_code == 200, answer.text

    published = market.sql.execute(
        "select event_type, payload ->> 'reasonCode', payload ->> 'refundAmount', payload -> 'lines'"
        " from outbox_events where aggregate_type = 'seller_cancellation' and payload ->> 'orderId' = %s",
        (order_id,),
    ).fetchall()
    assert published == [
        ("UnitsCancelledBySeller", "damaged", f"{answer.json()['refundAmount']:.2f}", asked(mine, 2)["lines"])
    ]
    number = order_of(market, buyer, order_id)["orderNumber"]
    subject = f"A part of your order {number} will not be sent"
    [mail] = [one for one in await mails_to(context, buyer.email) if one.subject == subject]
    assert f"because it was damaged:\n\n2 x {cup['title']}\n" in mail.text
    assert f"{answer.json()['refundAmount']:.2f} USD goes back" in mail.text
    assert violations(market.database_url, []) == []


JOURNALS = ("outbox_events", "parcel_events")
UNPACK = (
    *(f"alter table {table} disable trigger user" for table in JOURNALS),
    (
        "delete from outbox_events where aggregate_type = 'parcel'"
        " and aggregate_id in (select parcel_id from parcels where order_id = any(%(ids)s))"
    ),
    "update order_items set parcel_id = null where order_id = any(%(ids)s)",
    "delete from parcels where order_id = any(%(ids)s)",
    *(f"alter table {table} enable trigger user" for table in JOURNALS),
)


async def test_orders_that_a_release_without_parcels_has_placed_get_them(
    market: Market, context: Context, buyer: Person, seller: Person, others: Person
) -> None:
    placed = [sold(market, buyer, (seller, 10.0, 1), (others, 20.0, 1), (seller, 5.0, 2))[0] for _ in range(3)]
    (parcel,) = part_of(market, seller, placed[1])["parcels"]
    assert market.post(buyer, f"{placed[2]}/cancel").status_code == 200
    before = {order_id: order_of(market, buyer, order_id) for order_id in placed}
    for statement in UNPACK:
        market.sql.execute(statement, {"ids": placed})
    assert {violation.check for violation in violations(market.database_url)} == {"R-I17-lines"}

    assert await fill_parcels(context) == 3
    assert await fill_parcels(context) == 0

    assert violations(market.database_url) == []
    for order_id, seen in before.items():
        now = order_of(market, buyer, order_id)
        for name in ("number", "sellerId", "status", "promisedOn", "lines"):
            assert [one[name] for one in now["parcels"]] == [one[name] for one in seen["parcels"]]
        assert now | {"parcels": []} == seen | {"parcels": []}
    (again,) = part_of(market, seller, placed[1])["parcels"]
    assert (again["history"], again["parcelId"] == parcel["parcelId"]) == (parcel["history"], False)
    send(market, seller, again["parcelId"])
