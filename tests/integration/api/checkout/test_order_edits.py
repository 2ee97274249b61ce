"""Edits of orders that are not sent yet: what they cost, the second payment, and that a dropped one changes nothing."""

from decimal import Decimal
from typing import Any

import pytest

from api.checkout.edits.jobs import forget_uncommitted
from api.kernel.context import Context
from tests.harness.buying import Market
from tests.harness.coupons import promote, redeemed
from tests.harness.editing import Editing
from tests.harness.invariants import assert_invariants
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem


@pytest.fixture
def edits(market: Market, buyer: Person) -> Editing:
    return Editing(market, buyer)


def test_a_line_is_added_and_the_difference_is_a_second_payment(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=2)
    more = market.product(seller, stock=5, price=12.0)

    staged = edits.staged(order, add=[edits.line(more, 1)])

    # 2 x 10.00 and 1.60 tax and 4.99 shipping; 12.00 and 0.96 more.
    assert (staged["oldTotal"], staged["newTotal"], staged["delta"]) == (26.59, 39.55, 12.96)
    assert [(one["kind"], one["quantity"], one["amount"]) for one in staged["changes"]] == [("added", 1, 12.96)]
    assert market.stock_of(more) == (5, 0)
    done = edits.committed(staged)
    assert (done["status"], done["total"], done["chargedAmount"], done["refundAmount"]) == (
        "confirmed",
        39.55,
        12.96,
        None,
    )
    seen = edits.order(order)
    assert (seen["total"], seen["subtotal"], seen["tax"], seen["shipping"]) == (39.55, 32.0, 2.56, 4.99)
    assert (seen["payment"]["captured"], seen["payment"]["refunded"]) == (39.55, 0.0)
    assert [(line["quantity"], line["price"], line["status"]) for line in seen["items"]] == [
        (2, 10.0, "confirmed"),
        (1, 12.0, "confirmed"),
    ]
    assert [len(parcel["lines"]) for parcel in seen["parcels"]] == [2]
    assert seen["history"][-1]["fromStatus"] == seen["history"][-1]["toStatus"] == "confirmed"
    assert seen["history"][-1]["reason"] == "edited"
    assert market.stock_of(more) == (4, 0)
    assert market.scalar("select count(*) from payments where order_id = %s and status = 'captured'", (order,)) == 2
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")


def test_shipping_is_free_once_there_is_enough_and_charged_again_when_there_is_not(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=2)
    more = market.product(seller, stock=5, price=20.0)

    staged = edits.staged(order, add=[edits.line(more, 1)])
    edits.committed(staged)
    line = edits.order(order)["items"][1]["orderItemId"]
    back = edits.staged(order, lines=[{"orderItemId": line, "quantity": 0}])
    edits.committed(back, token=None)

    assert [(one["kind"], one["amount"]) for one in staged["changes"]] == [("added", 21.6), ("shipping", -4.99)]
    assert [(one["kind"], one["amount"]) for one in back["changes"]] == [("removed", -21.6), ("shipping", 4.99)]
    assert [staged[name] for name in ("oldTotal", "newTotal")] == [26.59, 43.2]
    assert [back[name] for name in ("oldTotal", "newTotal")] == [43.2, 26.59]
    paid = edits.order(order)["payment"]
    assert (paid["captured"], paid["refunded"]) == (43.2, 16.61)
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")


def test_an_added_line_that_is_taken_off_before_it_is_paid_refunds_nothing(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=2)
    more = market.product(seller, stock=5, price=20.0)
    before = edits.order(order)

    staged = edits.staged(order, add=[edits.line(more, 1)])
    assert edits.drop(staged).status_code == 204

    assert edits.order(order) == before
    assert market.stock_of(more) == (5, 0)
    assert market.scalar("select count(*) from payments where order_id = %s", (order,)) == 1
    assert market.scalar("select count(*) from refunds where order_id = %s", (order,)) == 0
    problem(edits.commit(staged), 404, "order-edit-not-found")


def test_fewer_units_are_refunded_and_restocked(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    order, product = market.place(buyer, seller, units=3)
    line = edits.order(order)["items"][0]["orderItemId"]

    staged = edits.staged(order, lines=[{"orderItemId": line, "quantity": 1}])
    done = edits.committed(staged, token=None)

    assert (staged["oldTotal"], staged["newTotal"], staged["delta"]) == (37.39, 15.79, -21.6)
    assert (done["chargedAmount"], done["refundAmount"]) == (None, 21.6)
    seen = edits.order(order)
    assert (seen["payment"]["captured"], seen["payment"]["refunded"]) == (37.39, 21.6)
    assert [(one["quantity"], one["returnedQuantity"]) for one in seen["items"]] == [(3, 2)]
    assert market.stock_of(product) == (8, 0)


def test_what_is_added_is_set_off_against_what_is_taken_off(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    """The old line goes, another comes: only the difference is paid, and cancelling afterwards gives back the rest."""
    order, product = market.place(buyer, seller, units=2)
    other = market.product(seller, stock=5, price=25.0)
    line = edits.order(order)["items"][0]["orderItemId"]

    staged = edits.staged(order, lines=[{"orderItemId": line, "quantity": 0}], add=[edits.line(other, 1)])
    done = edits.committed(staged)

    assert (staged["oldTotal"], staged["newTotal"], staged["delta"]) == (26.59, 31.99, 5.4)
    assert done["chargedAmount"] == 5.4
    assert [(one["kind"], one["amount"]) for one in staged["changes"]] == [("added", 27.0), ("removed", -21.6)]
    assert (market.stock_of(product), market.stock_of(other)) == ((9, 0), (4, 0))
    answer = market.post(buyer, f"{order}/cancel")
    assert answer.json()["refundAmount"] == 31.99
    seen = edits.order(order)
    assert (seen["status"], seen["payment"]["captured"], seen["payment"]["refunded"]) == ("cancelled", 31.99, 31.99)
    assert market.stock_of(other) == (5, 0)
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")


def test_a_declined_difference_changes_nothing(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    order, _ = market.place(buyer, seller, units=2)
    more = market.product(seller, stock=5, price=20.0)
    before = edits.order(order)
    staged = edits.staged(order, add=[edits.line(more, 2)])

    first = edits.commit(staged, token="pm_sandbox_declined", key="declined-edit")
    again = edits.commit(staged, token="pm_sandbox_declined", key="declined-edit")

    problem(first, 402, "payment-declined")
    assert (again.status_code, again.content) == (402, first.content)
    after = edits.order(order)
    assert {**after, "updatedAt": None} == {**before, "updatedAt": None}
    assert market.stock_of(more) == (5, 0)
    problem(edits.commit(staged), 409, "order-edit-over")
    assert market.post(buyer, f"{order}/cancel").status_code == 200
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")


def test_a_commit_that_is_sent_again_charges_once(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=1)
    more = market.product(seller, stock=5, price=20.0)
    staged = edits.staged(order, add=[edits.line(more, 1)])

    first = edits.commit(staged, key="edit-once")
    again = edits.commit(staged, key="edit-once")

    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    problem(edits.commit(staged, key="edit-twice"), 409, "order-edit-over")
    captured = market.scalar("select sum(captured_amount) from payments where order_id = %s", (order,))
    assert captured == Decimal(str(staged["newTotal"]))


def test_a_new_address_is_taxed_as_it_is_there(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    """From Illinois, 8 % on top of the goods, to Germany, 19 % within prices and shipping."""
    order, product = market.place(buyer, seller, units=2)
    address: dict[str, Any] = {"street": "Allee 1", "city": "Berlin", "zipCode": "10115", "country": "DE"}

    staged = edits.staged(order, shippingAddress=address)
    done = edits.committed(staged, token="pm_sandbox_ok" if staged["delta"] > 0 else None)

    fresh = market.order_body((market.product(seller, stock=9, price=10.0), 2), shippingAddress=address)
    as_new = market.client.get(
        f"/api/v1/orders/{market.buy(buyer, fresh).json()['orderId']}", headers=buyer.headers
    ).json()
    assert staged["newTotal"] == done["total"] == as_new["total"]
    seen = edits.order(order)
    assert seen["shippingAddress"] == as_new["shippingAddress"]
    living = [one for one in seen["items"] if one["quantity"] > one["returnedQuantity"]]
    assert [(one["taxRate"], one["taxAmount"], one["taxIncluded"]) for one in living] == [
        (one["taxRate"], one["taxAmount"], one["taxIncluded"]) for one in as_new["items"]
    ]
    assert seen["estimatedDelivery"] == as_new["estimatedDelivery"]
    assert [parcel["promisedOn"] for parcel in seen["parcels"]] == [
        parcel["promisedOn"] for parcel in as_new["parcels"]
    ]
    assert market.stock_of(product) == (7, 0)
    paid = seen["payment"]
    assert round(paid["captured"] - paid["refunded"], 2) == staged["newTotal"]
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")


def test_a_line_that_is_being_sent_is_not_edited(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    order, _ = market.place(buyer, seller, units=2)
    line = edits.order(order)["items"][0]["orderItemId"]
    staged = edits.staged(order, lines=[{"orderItemId": line, "quantity": 1}])
    assert market.post(seller, f"{order}/advance", {"status": "processing"}).status_code == 200

    problem(edits.commit(staged, token=None), 409, "order-changed")
    told = problem(edits.stage(order, lines=[{"orderItemId": line, "quantity": 1}]), 409, "order-not-editable")
    assert told["orderStatus"] == "processing"
    assert told["errors"][0]["pointer"] == "/lines"
    elsewhere = {"street": "2 High Street", "city": "Chicago", "state": "IL", "zipCode": "60601", "country": "US"}
    told = problem(edits.stage(order, shippingAddress=elsewhere), 409, "order-not-editable")
    assert told["errors"][0]["pointer"] == "/shippingAddress"


def test_what_is_wrong_is_named(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    order, product = market.place(buyer, seller, units=2)
    line = edits.order(order)["items"][0]["orderItemId"]
    nothing = "00000000-0000-4000-8000-000000000000"

    told = problem(edits.stage(order, lines=[{"orderItemId": nothing, "quantity": 1}]), 422, "not-orderable")
    assert told["errors"][0]["pointer"] == "/lines/0/orderItemId"
    told = problem(edits.stage(order, add=[{"variantId": nothing, "quantity": 1}]), 422, "not-orderable")
    assert told["errors"][0]["pointer"] == "/add/0/variantId"
    problem(edits.stage(order, lines=[{"orderItemId": line, "quantity": 2}]), 422, "nothing-to-change")
    problem(edits.stage(order, lines=[{"orderItemId": line, "quantity": 0}]), 409, "last-units")
    told = problem(edits.stage(order, lines=[{"orderItemId": line, "quantity": 99}]), 409, "out-of-stock")
    assert told["items"][0]["available"] == 7
    assert (told["items"][0]["productId"], told["items"][0]["requested"]) == (product["productId"], 97)
    told = problem(edits.stage(order), 422, "validation-failed")
    stranger = market.person()
    problem(Editing(market, stranger).stage(order, add=[edits.line(product, 1)]), 404, "order-not-found")
    staged = edits.staged(order, lines=[{"orderItemId": line, "quantity": 3}])
    problem(edits.commit(staged, token=None), 422, "validation-failed")
    problem(edits.commit({**staged, "newTotal": 1.0}), 409, "total-changed")
    assert edits.get(staged)["status"] == "staged"


def test_a_parcel_whose_label_is_bought_is_not_edited(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    """Its weight and its address are on the label; what is added goes into a parcel of its own."""
    order, product = market.place(buyer, seller, units=2)
    line, parcel = (edits.order(order)[name][0] for name in ("items", "parcels"))
    market.sql.execute(
        "insert into parcel_labels (label_id, parcel_id, carrier, service, weight_grams, price, currency, asked_by)"
        " values (gen_random_uuid(), %s, 'c', 's', 1, 1, 'USD', 'k')",
        (parcel["parcelId"],),
    )
    fewer = [{"orderItemId": line["orderItemId"], "quantity": 1}]

    told = problem(edits.stage(order, lines=fewer), 409, "order-not-editable")
    assert told["errors"][0]["message"].endswith(": its label is bought")
    done = edits.committed(edits.staged(order, add=[edits.line(product, 1)]))
    assert done["status"] == "confirmed"
    assert [(one["number"], len(one["lines"])) for one in edits.order(order)["parcels"]] == [(1, 1), (2, 1)]


def test_a_guest_edits_with_the_session_that_ordered(market: Market, seller: Person) -> None:
    guest, other = guest_headers("of edits"), guest_headers("of another")
    product = market.product(seller, stock=9, price=10.0)
    order = market.buy(guest, market.order_body((product, 2), email="g@example.com")).json()["orderId"]
    edits = Editing(market, guest)

    staged = edits.staged(order, lines=[{"orderItemId": edits.order(order)["items"][0]["orderItemId"], "quantity": 1}])
    problem(Editing(market, other).commit(staged), 404, "order-not-found")
    done = edits.committed(staged, token=None)

    assert (done["refundAmount"], done["total"]) == (10.8, 15.79)


def test_parcels_of_a_seller_that_wait_for_each_other_have_one_day(
    market: Market, buyer: Person, seller: Person
) -> None:
    product, more = (market.product(seller, stock=9, price=price) for price in (10.0, 12.0))
    market.sql.execute(
        "update warehouse_stock set warehouse_id = %s where variant_id = %s",
        (market.warehouse("FAR"), more["variants"][0]["variantId"]),
    )
    market.sql.execute("update warehouses set latitude = 21.3, longitude = -157.8 where code = 'FAR'")
    body = market.order_body((product, 1), shippingPreference="together")
    order, edits = market.buy(buyer, body).json()["orderId"], Editing(market, buyer)

    edits.committed(edits.staged(order, add=[edits.line(more, 1)]))

    parcels = edits.order(order)["parcels"]
    assert len(parcels) == 2
    assert parcels[0]["promisedOn"] == parcels[1]["promisedOn"] == edits.order(order)["estimatedDelivery"]


def test_an_order_to_several_addresses_is_not_edited(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, product = market.place(buyer, seller, units=2)
    market.sql.execute(
        "update parcels set shipping_address = (select shipping_address from orders o where o.order_id ="
        " parcels.order_id) where order_id = %s",
        (order,),
    )

    problem(edits.stage(order, add=[edits.line(product, 1)]), 409, "order-not-editable")


def test_money_that_went_back_meanwhile_is_another_order(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=2)
    line = edits.order(order)["items"][0]["orderItemId"]
    fewer = [{"orderItemId": line, "quantity": 1}]
    staged = edits.staged(order, lines=fewer)
    given = {"reasonCode": "goodwill", "items": [{"orderItemId": line, "amount": 2.0}]}
    back = market.post(seller, f"{order}/refunds", given)
    assert back.status_code == 200, back.text

    problem(edits.commit(staged, token=None), 409, "order-changed")
    again = edits.staged(order, lines=fewer)
    assert again["oldTotal"] == round(26.59 - back.json()["refundAmount"], 2)
    edits.committed(again, token=None)


def test_an_edit_that_expired_is_staged_again(market: Market, buyer: Person, seller: Person, edits: Editing) -> None:
    order, product = market.place(buyer, seller, units=2)
    staged = edits.staged(order, add=[edits.line(product, 1)])
    market.sql.execute("update order_edits set expires_at = now() where edit_id = %s", (staged["editId"],))

    assert problem(edits.commit(staged), 409, "order-edit-over")["point"] == "expired"
    assert edits.committed(edits.staged(order, add=[edits.line(product, 1)]))["chargedAmount"] == 10.8


async def test_what_nobody_committed_is_forgotten(
    market: Market, buyer: Person, seller: Person, edits: Editing, ctx: Context
) -> None:
    order, product = market.place(buyer, seller, units=2)
    old, new = (edits.staged(order, add=[edits.line(product, 1)]) for _ in range(2))
    market.sql.execute(
        "update order_edits set expires_at = now() - interval '25 hours' where edit_id = %s", (old["editId"],)
    )

    assert await forget_uncommitted(ctx) == 1
    problem(edits.commit(old), 404, "order-edit-not-found")
    assert edits.get(new)["status"] == "staged"


def test_a_product_that_is_withdrawn_or_sold_out_is_not_added(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    order, _ = market.place(buyer, seller, units=2)
    few, gone = (market.product(seller, stock=1, price=12.0) for _ in range(2))
    staged = edits.staged(order, add=[edits.line(few, 1)])
    rival = market.buy(buyer, market.order_body((few, 1)))
    assert rival.status_code == 201

    before = edits.order(order)
    problem(edits.commit(staged), 409, "out-of-stock")
    assert (edits.order(order), edits.get(staged)["status"]) == (before, "staged")
    market.client.delete(f"/api/v1/products/{gone['productId']}", headers=seller.headers)
    told = problem(edits.stage(order, add=[edits.line(gone, 1)]), 422, "not-orderable")
    assert told["errors"][0]["message"] == "this product is not for sale"


def test_promotions_stay_with_what_they_were_redeemed_for(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    """20.00 less ten per cent, sent free: what is added costs its price, and the fee stays paid."""
    product, more = (market.product(seller, stock=9, price=price) for price in (10.0, 5.0))
    promote(market, seller, "EDIT-TEN")
    promote(market, seller, "EDIT-FREE", kind="free_shipping", value=None)
    body = market.order_body((product, 2), couponCodes=["EDIT-TEN", "EDIT-FREE"])
    order = market.buy(buyer, body).json()["orderId"]

    staged = edits.staged(order, add=[edits.line(more, 1)])
    edits.committed(staged)
    line = next(one for one in edits.order(order)["items"] if one["discount"])
    back = edits.staged(order, lines=[{"orderItemId": line["orderItemId"], "quantity": 1}])
    edits.committed(back, token=None)

    # 18.00 and 1.44; 5.00 and 0.40 more; 9.00 and 0.72 less.
    assert [staged[name] for name in ("oldTotal", "newTotal")] == [19.44, 24.84]
    assert (back["newTotal"], edits.order(order)["shipping"]) == (15.12, 0.0)
    abroad = {"street": "Allee 1", "city": "Berlin", "zipCode": "10115", "country": "DE"}
    told = problem(edits.stage(order, shippingAddress=abroad), 409, "order-not-editable")
    assert told["errors"][0]["message"].endswith("was bought with a promotion")


def test_an_order_with_a_code_is_changed_to_and_fro_and_redeems_it_once(
    market: Market, buyer: Person, seller: Person, edits: Editing
) -> None:
    """A third of 6.00 off two lines. What is added costs its price of the day, what goes gives back what was paid."""
    first, second, more = (market.product(seller, stock=9, price=price) for price in (10.0, 20.0, 30.0))
    promotion = promote(market, seller, "TO-AND-FRO", kind="amount", value=6, totalLimit=1)
    answer = market.buy(buyer, market.order_body((first, 3), (second, 1), couponCodes=["TO-AND-FRO"]))
    order = answer.json()["orderId"]
    three, one = (line["orderItemId"] for line in edits.order(order)["items"])
    # 50.00 - 6.00 and 3.52: 3.60 off the three, of which each has 1.20, and 2.40 off the other. Sent free from 35.00.
    steps: list[tuple[dict[str, Any], float, float]] = [
        ({"lines": [{"orderItemId": three, "quantity": 4}]}, 47.52 + 10.80, 6.0),
        ({"lines": [{"orderItemId": three, "quantity": 2}]}, 58.32 - 9.50, 6.0 - 1.2),
        ({"lines": [{"orderItemId": one, "quantity": 0}], "add": [edits.line(more, 1)]}, 48.82 - 19.01 + 32.40, 2.4),
        ({"lines": [{"orderItemId": three, "quantity": 0}]}, 62.21 - 19.01, 0.0),
    ]
    for change, total, discount in steps:
        staged = edits.staged(order, **change)
        edits.committed(staged)
        seen = edits.order(order)
        left = sum(line["discount"] * (1 - line["returnedQuantity"] / line["quantity"]) for line in seen["items"])
        paid = round(seen["payment"]["captured"] - seen["payment"]["refunded"], 2)
        assert (staged["newTotal"], paid, round(left, 2)) == (round(total, 2), round(total, 2), discount), change
        assert redeemed(market, promotion) == (1, 1, 0)

    refused = market.buy(buyer, market.order_body((first, 1), couponCodes=["TO-AND-FRO"]))
    assert problem(refused, 409, "coupon-not-applied")["coupons"][0]["reason"] == "used-up"
    assert market.post(buyer, f"{order}/cancel").status_code == 200
    assert redeemed(market, promotion) == (0, 0, 1)
    assert market.sql.execute(
        "select sum(captured_amount) - sum(refunded_amount) from payments where order_id = %s", (order,)
    ).fetchone() == (Decimal(0),)
    assert_invariants(market.database_url, sandbox_url=market.sandbox.url, sandbox_key="sandbox-key-of-tests")
