"""Parcels that are lost: their buyers are made whole once, and their orders go on; and who sees where a parcel is."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.orders.labels.commands import settle_labels
from api.orders.parcels.queries import parcels_of
from api.orders.queries.locked import lock_order
from api.orders.returns.returnable import OrderLine
from api.orders.tracking.commands.losses import book_loss, lose_silent
from api.orders.tracking.commands.scans import follow_due
from tests.harness.buying import Market
from tests.harness.carriers import Carriage
from tests.harness.mailing import mails_to, token_in
from tests.harness.sessions import guest_headers
from tests.harness.shop import problem


def returned(market: Market, order_id: str) -> list[tuple[Any, ...]]:
    return market.sql.execute(
        "select reason_code, status, quantity, refund_amount, restocked from returns where order_id = %s"
        " order by return_id",
        (order_id,),
    ).fetchall()


async def test_a_lost_parcel_is_refunded_once_and_not_restocked(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    product = market.product(carriage.seller, stock=9, price=10.0)
    order_id = market.buy(carriage.buyer, market.order_body((product, 2))).json()["orderId"]
    (parcel_id,) = carriage.parcels_of(order_id)
    carriage.do(parcel_id, "process")
    number = carriage.on_its_way(parcel_id)
    paid = market.money_of(order_id)[0]
    lost = carriage.events(number, "lost")
    assert carriage.say(lost).status_code == 200
    assert carriage.say([*lost, *carriage.events(number, "lost", begin=clock.now())]).status_code == 200

    assert market.money_of(order_id) == (paid, paid)
    assert returned(market, order_id) == [("lost_parcel", "refunded", 2, paid, False)]
    assert market.stock_of(product).available == 7
    order = market.client.get(f"/api/v1/orders/{order_id}", headers=carriage.buyer.headers).json()
    assert (order["status"], order["payment"]["status"]) == ("shipped", "refunded")
    assert order["parcels"][0]["lostAt"] is not None
    refused = problem(carriage.do(parcel_id, "deliver"), 409, "order-state")
    assert refused["parcelStatus"] == "lost"
    for person, kind in ((carriage.buyer, "parcel-lost"), (carriage.seller, "parcel-lost-seller")):
        mails = [
            one for one in await mails_to(ctx, person.email) if order["orderNumber"] in one.text and "lost" in one.text
        ]
        assert len(mails) == 1, kind
        assert f"{paid} USD" in mails[0].text

    # It arrives after all: the page says so, and the money stays where it is.
    assert carriage.say(carriage.events(number, "delivered", begin=clock.now())).status_code == 200
    seen = market.client.get(f"/api/v1/orders/{order_id}/tracking", headers=carriage.buyer.headers).json()
    assert (seen["parcels"][0]["carriage"], seen["parcels"][0]["status"]) == ("delivered", "shipped")
    assert market.money_of(order_id) == (paid, paid)


def test_an_order_goes_on_without_the_parcel_that_was_lost(market: Market, carriage: Carriage) -> None:
    """Two sellers: what one sent is lost, what the other sent is delivered and returned; all of the money goes back."""
    other = market.person("seller")
    products = [
        (market.product(who, stock=9, price=price), 1) for who, price in ((carriage.seller, 10.0), (other, 30.0))
    ]
    order_id = market.buy(carriage.buyer, market.order_body(*products)).json()["orderId"]
    sellers = {
        str(seller): str(parcel)
        for parcel, seller in market.sql.execute(
            "select parcel_id, seller_id from parcels where order_id = %s", (order_id,)
        ).fetchall()
    }
    mine, theirs = sellers[carriage.seller.user_id], sellers[other.user_id]
    carriage.do(mine, "process")
    number = carriage.on_its_way(mine)
    for what in ("process", "ship", "deliver"):
        assert carriage.do(theirs, what, who=other).status_code == 200
    path = f"/api/v1/orders/{order_id}"
    assert market.client.get(path, headers=carriage.buyer.headers).json()["status"] == "shipped"
    assert carriage.say(carriage.events(number, "lost", begin=clock.now())).status_code == 200

    order = market.client.get(path, headers=carriage.buyer.headers).json()
    assert (order["status"], order["payment"]["status"]) == ("delivered", "partially_refunded")
    line = next(item["orderItemId"] for item in order["items"] if item["sellerId"] == other.user_id)
    asked = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "damaged"}
    assert market.post(carriage.buyer, f"{order_id}/return", asked).json()["status"] == "return_requested"
    assert market.post(other, f"{order_id}/return/decision", {"approve": True}).status_code == 200
    order = market.client.get(path, headers=carriage.buyer.headers).json()
    paid, refunded = market.money_of(order_id)
    assert (order["status"], paid) == ("refunded", refunded)
    again = {
        "items": [{"orderItemId": one["orderItemId"], "quantity": 1} for one in order["items"]],
        "reasonCode": "other",
    }
    assert market.post(carriage.buyer, f"{order_id}/return", again).status_code == 409


def test_units_that_were_cancelled_before_are_not_refunded_again(market: Market, carriage: Carriage) -> None:
    order_id, parcel_id = carriage.parcel()
    path = f"/api/v1/orders/{order_id}"
    line = market.client.get(path, headers=carriage.buyer.headers).json()["items"][0]["orderItemId"]
    assert market.post(carriage.buyer, f"{order_id}/items/{line}/cancel", {"quantity": 1}).status_code == 200
    number = carriage.on_its_way(parcel_id)
    assert carriage.say(carriage.events(number, "lost", begin=clock.now())).status_code == 200

    paid, refunded = market.money_of(order_id)
    assert paid == refunded
    assert [row[:3] for row in returned(market, order_id)] == [
        ("cancelled", "refunded", 1),
        ("lost_parcel", "refunded", 1),
    ]


async def test_a_parcel_of_which_nothing_is_heard_is_lost(ctx: Context, market: Market, carriage: Carriage) -> None:
    silent, heard, early, sent = (carriage.parcel() for _ in range(4))
    for _, parcel_id in (silent, heard, early):
        carriage.on_its_way(parcel_id)
    assert carriage.do(sent[1], "ship", {"carrier": "Own van", "trackingNumber": "1"}).status_code == 200
    old = "update parcel_labels set promised_on = current_date - %s, last_scan_at = now() - %s * interval '1 day'"
    for (_, parcel_id), promised, scanned in ((silent, 11, 11), (heard, 11, 9), (early, 9, 30)):
        market.sql.execute(f"{old} where parcel_id = %s", (promised, scanned, parcel_id))
    market.sql.execute("update parcels set promised_on = current_date - 99 where parcel_id = %s", (sent[1],))

    assert await lose_silent(ctx) == 1
    assert await lose_silent(ctx) == 0
    lost = [market.scalar("select lost_at from parcels where parcel_id = %s", (parcel,)) is not None for _, parcel in (
        silent, heard, early, sent
    )]  # fmt: skip
    assert lost == [True, False, False, False]
    assert market.money_of(silent[0])[0] == market.money_of(silent[0])[1]
    assert market.money_of(heard[0])[1] == Decimal(0)


@contextmanager
def left_to_an_edit(market: Market, order_id: str) -> Iterator[None]:
    """As while an edit of the order is paid for, or an exchange of its units: nothing else changes it."""
    claim = "update orders set edited_by = %s where order_id = %s"
    market.sql.execute(claim, (order_id, order_id))
    try:
        yield
    finally:
        market.sql.execute(claim, (None, order_id))


async def test_scans_are_taken_and_wait_while_their_order_is_being_edited(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    order_id, parcel_id = carriage.parcel()
    number = carriage.on_its_way(parcel_id)
    while await follow_due(ctx):
        pass
    with left_to_an_edit(market, order_id):
        answer = carriage.say(carriage.events(number, "delivered", begin=clock.now()))
        assert (answer.status_code, answer.json()) == (200, {"taken": 1, "repeated": 0})
        assert await follow_due(ctx) == 1
        assert carriage.status(parcel_id) == "shipped"

    assert await follow_due(ctx) == 1
    assert carriage.status(parcel_id) == "delivered"


async def test_silent_parcels_and_labels_behind_an_order_that_is_being_edited_do_not_wait_for_it(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    edited, other = (carriage.parcel() for _ in range(2))
    bought, behind = (carriage.parcel() for _ in range(2))
    for _, parcel_id in (edited, other):
        carriage.on_its_way(parcel_id)
    silent = (
        "update parcel_labels set promised_on = current_date - %s, last_scan_at = now() - interval '20 days'"
        " where parcel_id = %s"
    )
    for days, (_, parcel_id) in ((12, edited), (11, other)):
        market.sql.execute(silent, (days, parcel_id))
    going_back = "update parcel_labels set status = 'cancelling', updated_at = now() - %s * interval '1 hour'"
    for hours, (_, parcel_id) in ((2, bought), (1, behind)):
        carriage.label(parcel_id)
        market.sql.execute(f"{going_back} where parcel_id = %s", (hours, parcel_id))

    def state() -> tuple[list[bool], list[str]]:
        lost = "select lost_at is not null from parcels where parcel_id = %s"
        label = "select status from parcel_labels where parcel_id = %s"
        return (
            [market.scalar(lost, (parcel_id,)) for _, parcel_id in (edited, other)],
            [market.scalar(label, (parcel_id,)) for _, parcel_id in (bought, behind)],
        )

    with left_to_an_edit(market, edited[0]), left_to_an_edit(market, bought[0]):
        assert (await lose_silent(ctx), await settle_labels(ctx)) == (1, 1)
        assert state() == ([False, True], ["cancelling", "cancelled"])

    assert (await lose_silent(ctx), await settle_labels(ctx)) == (1, 1)
    assert state() == ([True, True], ["cancelled", "cancelled"])


class Undone(Exception):
    """What the mutant did is rolled back."""


async def test_mutant_a_loss_that_forgets_what_was_given_back_refunds_it_again(
    ctx: Context, market: Market, carriage: Carriage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: with every unit booked anew, a line has more returns than units."""
    order_id, parcel_id = carriage.parcel()
    line = market.client.get(f"/api/v1/orders/{order_id}", headers=carriage.buyer.headers).json()["items"][0]
    cancelled = market.post(carriage.buyer, f"{order_id}/items/{line['orderItemId']}/cancel", {"quantity": 1})
    assert cancelled.status_code == 200
    carriage.on_its_way(parcel_id)
    units = text("SELECT sum(quantity) FROM returns WHERE order_id = :order_id")

    async def booked() -> int:
        found: list[int] = []
        with suppress(Undone):
            async with ctx.db.transaction() as tx:
                order = await lock_order(tx, Actor("service"), UUID(order_id))
                (parcel,) = parcels = await parcels_of(tx, order.order_id)
                await book_loss(tx, order, parcels, parcel, "a test")
                found.append(await tx.scalar(units, {"order_id": UUID(order_id)}))
                raise Undone
        return found[0]

    assert await booked() == 2
    monkeypatch.setattr(OrderLine, "returnable", property(lambda self: self.quantity))
    assert await booked() == 3


async def test_who_sees_where_a_parcel_is(ctx: Context, market: Market, carriage: Carriage) -> None:
    guest = guest_headers()
    order_id, parcel_id = carriage.parcel(guest)
    number = carriage.on_its_way(parcel_id)
    market.sql.execute("update parcels set promised_on = current_date - 2 where parcel_id = %s", (parcel_id,))
    path = f"/api/v1/orders/{order_id}/tracking"
    seen = market.client.get(path, headers=guest)
    assert seen.status_code == 200, seen.text
    (parcel,) = seen.json()["parcels"]
    assert (parcel["late"], parcel["daysLate"], parcel["trackingNumber"]) == (True, 2, number)
    assert [(event["kind"], event["place"]) for event in parcel["events"]] == [("accepted", "place 0")]
    assert parcel["carrierPromisedOn"] is not None

    mail = next(one for one in await mails_to(ctx, "guest@example.com") if seen.json()["orderNumber"] in one.text)
    answer = market.client.get(path, headers={"X-Order-Token": token_in(mail)})
    assert (answer.status_code, answer.json()) == (200, seen.json())
    own = market.client.get(f"/api/v1/sellers/me/parcels/{parcel_id}/tracking", headers=carriage.seller.headers)
    link = market.client.get(parcel["trackingUrl"])
    assert own.json() == link.json() == parcel
    assert not {"High Street", seen.json()["orderNumber"], order_id, "guest@example.com"} & set(link.text.split('"'))

    stranger = market.person()
    for who in (stranger.headers, market.person("seller").headers, guest_headers()):
        problem(market.client.get(path, headers=who), 404, "order-not-found")
    code = parcel["trackingUrl"].rsplit("/", 1)[1]
    for wrong in (code[:-1], code[:-1] + ("A" if code[-1] != "A" else "B"), "A" * 43, "x" * 99, "é" * 43):
        problem(market.client.get(f"/api/v1/tracking/{wrong}"), 404, "tracking-not-found")
    forged = {"X-Order-Token": token_in(mail)[::-1]}
    problem(market.client.get(path, headers=forged), 404, "order-not-found")
