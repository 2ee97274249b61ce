"""What is delivered online: priced without shipping, there when it is paid, seen by its buyer alone, with what is
sent or without."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api import nouns
from api.kernel.context import Context
from api.kernel.failpoints import FailpointError
from api.orders.digital import jobs
from api.orders.digital.commands import deliver_due
from api.orders.digital.failpoints import POINTS
from api.orders.returns.policy import POLICIES
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market, Worker, buying_env, wait_until
from tests.harness.digital import Game, keys_of
from tests.harness.editing import Editing
from tests.harness.invariants import assert_invariants
from tests.harness.mailing import mails_to, settle, token_in
from tests.harness.parcels import do, order_of, part_of, send
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person, problem


def goods(market: Market, who: Person | dict[str, str], order: str) -> Any:
    headers = who.headers if isinstance(who, Person) else who
    return market.client.get(f"/api/v1/orders/{order}/digital-goods", headers=headers)


async def test_page_cart_and_order_agree_and_charge_no_shipping(market: Market, seller: Person, ctx: Context) -> None:
    game, shopper = Game(market, seller, 2), market.person()
    line = {"productId": game.product["productId"], "variantId": game.variant, "quantity": 2}
    cart = market.client.post("/api/v1/cart/items", json=line, headers=shopper.headers).json()
    page = market.client.get(game.path).json()

    assert page["shipping"]["options"] == cart["deliveryOptions"] == []
    assert (page["shipping"]["fee"], cart["shipping"], cart["items"][0]["product"]["kind"]) == (0, 0, "digital")
    body = {name: value for name, value in market.order_body().items() if name != "items"}
    placed = market.buy(shopper, {**body, "expectedTotal": cart["total"]})
    assert placed.status_code == 201, placed.text
    assert placed.json()["estimatedDelivery"] == page["shipping"]["standardTo"] == cart["delivery"]["to"]
    await deliver_due(ctx)
    assert keys_of(market, shopper, placed.json()["orderId"]) == game.keys
    fast = market.order_body((Game(market, seller, 1).product, 1), deliverySpeed="prime_2day")
    refused = problem(market.buy(shopper, fast), 422, "speed-not-offered")
    assert (refused["errors"][0]["message"], refused["offered"]) == ("nothing in the order is sent", [])


async def test_a_paid_order_is_delivered_once_and_shown_to_its_buyer_alone(
    market: Market, seller: Person, server: Server, ctx: Context
) -> None:
    game, buyer = Game(market, seller, 3), market.person()
    order = game.order(buyer, 2)
    assert keys_of(market, buyer, order) == []
    assert game.pool() == (1, 3, 0)

    delivered = await asyncio.gather(*(deliver_due(ctx) for _ in range(4)))

    assert (sum(one.delivered for one in delivered), await deliver_due(ctx)) == (1, (0, False))
    assert (keys_of(market, buyer, order), game.pool()) == (game.keys[:2], (1, 1, 2))
    shown = order_of(market, buyer, order)
    assert (shown["status"], [one["digital"] for one in shown["parcels"]]) == ("delivered", [True])
    for other in (market.person(), seller, market.admin()):
        problem(goods(market, other, order), 404, "order-not-found")
    (mail,) = [one for one in await mails_to(ctx, buyer.email) if "ready" in one.text]
    listed = market.client.get("/api/v1/orders", headers=buyer.headers).text
    events = market.sql.execute("select e::text from outbox_events e").fetchall()
    logged = server.log.read_text()
    for text in (mail.text, mail.html, str(shown), listed, logged, *(event for (event,) in events)):
        assert f"{game.name}-0" not in text
    assert game.name in mail.text


@pytest.mark.parametrize("point", sorted(POINTS))
async def test_a_delivery_that_dies_is_not_begun_or_done(
    market: Market, seller: Person, ctx: Context, armed: Callable[[str], None], point: str
) -> None:
    game, buyer = Game(market, seller, 2), market.person()
    order = game.order(buyer, 2)

    armed(point)
    with pytest.raises(FailpointError):
        await deliver_due(ctx)
    seen = keys_of(market, buyer, order), order_of(market, buyer, order)["status"], game.pool()
    done = (game.keys, "delivered", (0, 0, 2))
    assert seen == (done if point.endswith("after_commit") else ([], "confirmed", (0, 2, 0)))

    await deliver_due(ctx)
    assert (keys_of(market, buyer, order), order_of(market, buyer, order)["status"], game.pool()) == done
    assert_invariants(market.database_url)


async def test_what_is_cancelled_before_its_delivery_goes_back_into_the_pool(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    game = Game(market, seller, 2)
    order = game.order(buyer, 2)
    assert market.post(buyer, f"{order}/cancel").status_code == 200
    await deliver_due(ctx)

    assert (keys_of(market, buyer, order), game.pool()) == ([], (2, 2, 0))
    other = game.order(buyer, 2)
    await deliver_due(ctx)
    assert keys_of(market, buyer, other) == game.keys
    problem(market.post(buyer, f"{other}/cancel"), 409, "order-state")


async def test_what_was_delivered_comes_back_for_a_cause_alone_and_is_never_sold_again(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    game = Game(market, seller, 2)
    order = game.order(buyer)
    await deliver_due(ctx)
    line = order_of(market, buyer, order)["items"][0]["orderItemId"]

    for code, policy in POLICIES.items():
        back = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": code}
        if not policy.digital:
            refused = problem(market.post(buyer, f"{order}/return", back), 422, "not-returnable")
            assert refused["errors"][0]["pointer"] == "/items/0/orderItemId"
    changed = {"orderItemId": line, "quantity": 1, "variantId": game.variant, "reasonCode": "defective",
               "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"}}  # fmt: skip
    refused = problem(market.post(buyer, f"{order}/exchanges", changed), 422, "not-returnable")
    assert refused["errors"][0]["pointer"] == "/orderItemId"
    back = {"items": [{"orderItemId": line, "quantity": 1}], "reasonCode": "defective"}
    assert market.post(buyer, f"{order}/return", back).status_code == 200
    (asked,) = order_of(market, buyer, order)["returns"]
    approved = market.post(seller, f"{order}/returns/{asked['returnId']}/approve", {"restock": True})
    assert approved.status_code == 200, approved.text

    # 20.00 with 1.60 tax.
    assert market.money_of(order) == (Decimal("21.60"), Decimal("21.60"))
    assert (order_of(market, buyer, order)["returns"][0]["restocked"], game.pool()) == (False, (1, 1, 1))
    assert market.scalar("select count(*) from returns where label_due and order_id = %s", (order,)) == 0
    other = market.person()
    second = game.order(other)
    await deliver_due(ctx)
    assert keys_of(market, other, second) == game.keys[1:]
    assert_invariants(market.database_url)


async def test_together_with_what_is_sent_it_is_there_at_once(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    game, lamp = Game(market, seller, 5), market.product(seller, title=f"Lamp {uuid4()}")
    asked = {name: value for name, value in market.order_body((lamp, 2)).items() if name != "paymentMethod"}
    alone = market.client.post("/api/v1/orders/preview", json=asked, headers=buyer.headers).json()
    shopper = market.person()
    for product, units in ((lamp, 2), (game.product, 1)):
        line = {"productId": product["productId"], "variantId": product["variants"][0]["variantId"], "quantity": units}
        cart = market.client.post("/api/v1/cart/items", json=line, headers=shopper.headers).json()
    body = {name: value for name, value in market.order_body(shippingPreference="together").items() if name != "items"}
    placed = market.buy(shopper, {**body, "expectedTotal": cart["total"]})
    assert placed.status_code == 201, placed.text
    order = placed.json()["orderId"]
    assert (cart["shipping"], placed.json()["estimatedDelivery"]) == (alone["shipping"], alone["estimatedDelivery"])
    sent, online = order_of(market, shopper, order)["parcels"]
    assert (sent["digital"], online["digital"]) == (False, True)
    assert sent["promisedOn"] == alone["parcels"][0]["promisedOn"]

    # Nobody sends what is delivered online, and what is sent does not wait for it.
    for step, wanted in (("process", None), ("split", {"lines": [{"orderItemId": str(uuid4()), "quantity": 1}]})):
        assert problem(do(market, seller, online["parcelId"], step, wanted), 409, "order-state")["parcelStatus"]
    send(market, seller, sent["parcelId"], "process", "ship")
    assert market.post(seller, f"{order}/advance", {"status": "delivered"}).status_code == 200
    assert [one["status"] for one in part_of(market, seller, order)["parcels"]] == ["delivered", "confirmed"]
    await deliver_due(ctx)

    assert (keys_of(market, shopper, order), order_of(market, shopper, order)["status"]) == (game.keys[:1], "delivered")
    assert_invariants(market.database_url)


async def test_what_is_sent_can_be_edited_and_cancelled_after_the_other_was_delivered(
    market: Market, buyer: Person, seller: Person, ctx: Context
) -> None:
    game, lamp = Game(market, seller, 5), market.product(seller, title=f"Lamp {uuid4()}")
    order = market.buy(buyer, market.order_body((lamp, 2), (game.product, 1))).json()["orderId"]
    await deliver_due(ctx)
    assert order_of(market, buyer, order)["status"] == "processing"
    editing = Editing(market, buyer)

    added = problem(editing.stage(order, add=[editing.line(game.product, 1)]), 422, "not-orderable")
    assert added["errors"][0]["pointer"] == "/add/0/variantId"
    elsewhere = {**ADDRESS, "street": "2 Low Street"}
    moved = problem(editing.stage(order, shippingAddress=elsewhere), 409, "order-not-editable")
    assert "delivered online" in moved["errors"][0]["message"]
    lamps, games = sorted(order_of(market, buyer, order)["items"], key=lambda line: line["price"])
    none = [{"orderItemId": games["orderItemId"], "quantity": 0}]
    problem(editing.stage(order, lines=none), 409, "order-not-editable")
    one = [{"orderItemId": lamps["orderItemId"], "quantity": 1}]
    fewer = editing.committed(editing.staged(order, lines=one), token=None)
    assert fewer["status"] == "processing"

    problem(market.post(buyer, f"{order}/cancel"), 409, "order-state")
    path = f"{order}/items/{lamps['orderItemId']}/cancel"
    answer = market.post(buyer, path, {"quantity": 1})
    assert answer.status_code == 200, answer.text
    # 20.00 for two lamps and 20.00 for the game with their tax, and 4.99 shipping; the game alone is left.
    assert market.money_of(order) == (Decimal("48.19"), Decimal("26.59"))
    assert (answer.json()["status"], keys_of(market, buyer, order)) == ("delivered", game.keys[:1])
    assert_invariants(market.database_url)


def test_it_is_a_gift_to_no_other_address(market: Market, buyer: Person, seller: Person) -> None:
    game, lamp = Game(market, seller, 5), market.product(seller, title=f"Lamp {uuid4()}")
    other = {**ADDRESS, "street": "2 Low Street"}
    body = market.order_body((lamp, 1), (game.product, 2))

    gift = [{"shippingAddress": other, "lines": [{"variantId": game.variant, "quantity": 1}]}]
    refused = problem(market.buy(buyer, {**body, "destinations": gift}), 422, "not-orderable")
    assert refused["errors"][0]["pointer"] == "/destinations/0/lines/0/variantId"
    lamps = [{"shippingAddress": other, "lines": [{"variantId": lamp["variants"][0]["variantId"], "quantity": 1}]}]
    placed = market.buy(buyer, {**body, "destinations": lamps})
    assert placed.status_code == 201, placed.text
    parcels = order_of(market, buyer, placed.json()["orderId"])["parcels"]
    assert sorted((one["digital"], one["shippingAddress"]["street"]) for one in parcels) == [
        (False, "2 Low Street"),
        (True, ADDRESS["street"]),
    ]


async def test_a_worker_delivers_what_guests_buy(
    market: Market, seller: Person, server: Server, tmp_path: Path, ctx: Context
) -> None:
    game, guest, email = Game(market, seller, 1), guest_headers(f"keys {uuid4()}"), f"{uuid4()}@example.com"
    placed = market.buy(guest, market.order_body((game.product, 1), email=email)).json()
    worker = Worker(tmp_path, {**server.env, **buying_env(market.sandbox)})
    worker.start()
    try:
        wait_until(lambda: bool(goods(market, guest, placed["orderId"]).json()["lines"]))
    finally:
        worker.stop()
    assert goods(market, guest, placed["orderId"]).json()["lines"][0]["keys"] == game.keys
    assert game.name + "-0" not in worker.log.read_text()

    again = {"orderNumber": placed["orderNumber"], "email": email}
    assert market.client.post("/api/v1/orders/lookup-requests", json=again).status_code == 202
    token = token_in(next(mail for mail in await mails_to(ctx, email) if "ready" not in mail.text))
    looked = market.client.post("/api/v1/orders/lookup/digital-goods", json={**again, "token": token})
    assert (looked.status_code, looked.headers["cache-control"]) == (200, "no-store")
    assert looked.json()["lines"][0]["keys"] == game.keys
    wrong = {**again, "token": token, "email": "other@example.com"}
    problem(market.client.post("/api/v1/orders/lookup/digital-goods", json=wrong), 404, "order-not-found")
    assert_invariants(market.database_url)


async def test_the_job_sleeps_until_something_is_paid(
    market: Market, buyer: Person, seller: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = (job for job in nouns.jobs() if job.name == "digital deliveries")
    assert (job.every_seconds, job.bell) == (jobs.LOOK_SECONDS, jobs.PAID)
    pauses: list[float] = []
    monkeypatch.setattr(jobs.PAID, "ring_in", pauses.append)
    await settle(ctx)
    await job.run(ctx)
    jobs.PAID.heard()
    game = Game(market, seller, 1)

    await settle(ctx)
    assert not jobs.PAID.heard()
    order = game.order(buyer)
    await settle(ctx)
    assert jobs.PAID.heard()
    # An order that another has is delivered when it is left again: while it works it would try again soon.
    market.sql.execute("update orders set edited_by = gen_random_uuid() where order_id = %s", (order,))
    assert (await job.run(ctx), keys_of(market, buyer, order)) == (0, [])
    market.sql.execute("update orders set edited_by = null where order_id = %s", (order,))
    assert (await job.run(ctx), keys_of(market, buyer, order)) == (1, game.keys)
    assert await job.run(ctx) == 0
    retry, look = jobs.RETRY_SECONDS, jobs.LOOK_SECONDS
    assert pauses == [retry, look, retry, retry, retry, look, retry, look]


def test_a_worker_that_runs_delivers_within_a_second(
    market: Market, buyer: Person, seller: Person, server: Server, tmp_path: Path
) -> None:
    """Of what is paid while it sleeps."""
    game, late = Game(market, seller, 3), []

    def delivered(order: str) -> bool:
        return bool(keys_of(market, buyer, order))

    worker = Worker(tmp_path, {**server.env, **buying_env(market.sandbox), "SOUK_HOME": str(tmp_path)})
    worker.start()
    try:
        wait_until(lambda: bool(market.scalar("select count(*) = 0 from outbox_events where published_at is null")))
        for _ in game.keys:
            order = game.order(buyer)
            wait_until(partial(delivered, order), 20)
            late.append(
                market.scalar(
                    "select extract(epoch from k.delivered_at - p.updated_at) from licence_keys k join order_items i"
                    " using (order_item_id) join payments p using (order_id) where order_id = %s",
                    (order,),
                )
            )
    finally:
        worker.stop()
    # The best of them: another process of the machine may hold up some.
    assert min(late) < 1.0
