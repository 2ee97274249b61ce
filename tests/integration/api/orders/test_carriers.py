"""Labels and scans: one label per parcel whatever fails, and a parcel that is where its carrier says, in whatever order
it says so."""

import io
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pypdfium2
import pytest
from PIL import Image

from api.kernel import clock
from api.kernel.context import Context
from api.kernel.failpoints import FailpointError
from api.kernel.outbox import Pending
from api.orders.edits.statements import EDITED
from api.orders.labels import commands as labels
from api.orders.labels.doors import DOORS
from api.orders.labels.queries import Label
from api.orders.tracking.commands.scans import follow_due, take_scans
from api.shipping.scans import Scan
from tests.harness.api import Server
from tests.harness.buying import Market, Sandbox, wait_until
from tests.harness.carriers import Carriage, intent, running_with_carrier, sold_to
from tests.harness.mailing import settle
from tests.harness.processes import KILLED
from tests.harness.shop import PASSWORD, Person, problem

NOW = timedelta(0)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Started by `server`, because the carrier is told where the shop is."""
    gateway = Sandbox(tmp_path_factory.mktemp("gateway"))
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Server]:
    yield from running_with_carrier(tmp_path_factory.mktemp("market"), database_url, redis_url, sandbox)


def test_a_label_is_chosen_from_rates_and_bought_once(market: Market, carriage: Carriage) -> None:
    _, parcel_id = carriage.parcel(packed=False)
    asked = carriage.do(parcel_id, "rates")
    assert asked.status_code == 200, asked.text
    rates = asked.json()
    assert (rates["weightGrams"], rates["silent"], len(rates["rates"])) == (1_000, [], 3)
    chosen = {name: rates["rates"][1][name] for name in ("carrier", "service", "price")}
    assert chosen == {"carrier": "sandbox", "service": "sandbox-standard", "price": 5.4}
    heavy = carriage.do(parcel_id, "rates", {"weightGrams": 2_500}).json()["rates"][1]
    assert (heavy["speed"], heavy["price"], heavy["currency"]) == ("standard", 7.6, "USD")
    path = f"/api/v1/sellers/me/parcels/{parcel_id}/label"
    problem(market.client.get(path, headers=carriage.seller.headers), 404, "label-not-found")

    bought = carriage.do(parcel_id, "label", chosen, key="label-once")
    again = carriage.do(parcel_id, "label", chosen, key="label-once")

    assert (bought.status_code, again.status_code, again.content) == (201, 201, bought.content)
    body = bought.json()
    assert (body["status"], body["price"], body["weightGrams"], body["carriage"]) == ("bought", 5.4, 1_000, None)
    assert market.client.get(path, headers=carriage.seller.headers).json() == body
    assert [one["trackingNumber"] for one in sold_to(market, parcel_id)] == [body["trackingNumber"]]
    assert problem(carriage.do(parcel_id, "label", chosen), 409, "label-exists")["labelStatus"] == "bought"
    seen = market.sql.execute("select carrier, tracking_number from parcels where parcel_id = %s", (parcel_id,))
    assert seen.fetchone() == ("sandbox", body["trackingNumber"])


def test_a_label_is_printed_while_its_parcel_is_under_way(market: Market, carriage: Carriage) -> None:
    _, parcel_id = carriage.parcel()
    stranger, path = market.person("seller"), f"/api/v1/sellers/me/parcels/{parcel_id}/label"

    def file(kind: str, who: Person) -> httpx.Response:
        return market.client.get(f"{path}.{kind}", headers=who.headers)

    problem(file("pdf", carriage.seller), 404, "label-not-found")
    number = carriage.label(parcel_id)["trackingNumber"]
    pdf, again, png = (file(kind, carriage.seller) for kind in ("pdf", "pdf", "png"))
    assert (pdf.status_code, pdf.headers["content-type"], pdf.content) == (200, "application/pdf", again.content)
    assert pdf.headers["cache-control"] == "no-store"
    page = pypdfium2.PdfDocument(pdf.content)[0]
    words = page.get_textpage().get_text_bounded()
    assert page.get_size() == (288, 432)
    for said in ("SANDBOX", number, "1 High Street", "Chicago IL 60601", "Warehouse T1", "1.00 kg"):
        assert said in words, words
    assert png.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(png.content)).size == (812, 1218)
    problem(file("pdf", stranger), 404, "parcel-not-found")
    problem(file("png", carriage.buyer), 403, "forbidden")
    carriage.say(carriage.events(number, "accepted"))
    assert file("pdf", carriage.seller).content == pdf.content
    carriage.say(carriage.events(number, "delivered", begin=clock.now()))
    for kind in ("pdf", "png"):
        problem(file(kind, carriage.seller), 409, "label-closed")


def test_a_label_goes_back_and_another_is_bought(market: Market, carriage: Carriage) -> None:
    _, parcel_id = carriage.parcel()
    first = carriage.label(parcel_id)
    gone = carriage.do(parcel_id, "label/cancel", key="give-back")
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
    assert carriage.do(parcel_id, "label/cancel", key="give-back").content == gone.content
    second = carriage.label(parcel_id)
    assert second["trackingNumber"] != first["trackingNumber"]
    assert [one["status"] for one in sold_to(market, parcel_id)] == ["cancelled", "bought"]
    market.sandbox.scan(second["trackingNumber"], sent=False)
    kept = problem(carriage.do(parcel_id, "label/cancel"), 409, "label-refused")
    assert kept["carrierCode"] == "scanned"
    assert carriage.do(parcel_id, "ship").status_code == 200
    problem(carriage.do(parcel_id, "label/cancel"), 409, "order-state")
    problem(carriage.do(parcel_id, "rates"), 409, "order-state")


@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [
        ({"price": 5.39}, 409, "label-refused"),
        ({"service": "none"}, 409, "label-refused"),
        ({"weightGrams": 30_001, "price": 99.0}, 409, "label-refused"),
        ({"carrier": "nobody"}, 422, "carrier-unknown"),
        ({"price": 0}, 422, "validation-failed"),
        ({"weightGrams": 0}, 422, "validation-failed"),
        ({"weightGrams": 1.5}, 422, "validation-failed"),
    ],
)
def test_an_offer_that_is_none_buys_nothing(
    market: Market, carriage: Carriage, offer: dict[str, Any], status: int, code: str
) -> None:
    _, parcel_id = carriage.parcel()
    problem(carriage.do(parcel_id, "label", carriage.offer(**offer)), status, code)
    assert sold_to(market, parcel_id) == []
    assert carriage.label(parcel_id)["status"] == "bought"


def test_only_its_seller_sends_a_parcel(market: Market, carriage: Carriage) -> None:
    order_id, parcel_id = carriage.parcel()
    stranger = market.person("seller")
    path = f"/api/v1/sellers/me/parcels/{parcel_id}"
    for what, body in (("rates", None), ("label", carriage.offer()), ("label/cancel", None)):
        problem(carriage.do(parcel_id, what, body, who=stranger), 404, "parcel-not-found")
        problem(carriage.do(parcel_id, what, body, who=carriage.buyer), 403, "forbidden")
    for what in ("label", "tracking"):
        problem(market.client.get(f"{path}/{what}", headers=stranger.headers), 404, "parcel-not-found")
    assert sold_to(market, parcel_id) == []
    assert market.post(carriage.buyer, f"{order_id}/cancel").status_code == 200
    assert problem(carriage.do(parcel_id, "label", carriage.offer()), 409, "order-state")["parcelStatus"] == "cancelled"


async def test_a_label_whose_answer_was_lost_is_bought_once(ctx: Context, market: Market, carriage: Carriage) -> None:
    _, parcel_id = carriage.parcel()
    market.sandbox.faults(resets_after_commit=3)
    silent = problem(carriage.do(parcel_id, "label", carriage.offer(), key="lost-answer"), 503, "carrier-silent")
    assert silent["detail"].startswith("The label is bought as soon as the carrier answers")
    problem(carriage.do(parcel_id, "label/cancel"), 409, "label-exists")

    assert await labels.settle_labels(ctx, NOW) == 1
    body = carriage.label(parcel_id, key="lost-answer")
    assert [one["trackingNumber"] for one in sold_to(market, parcel_id)] == [body["trackingNumber"]]
    assert await labels.settle_labels(ctx, NOW) == 0


@pytest.mark.parametrize("point", ["shipping.before_buying", "shipping.after_buying"])
@pytest.mark.parametrize("comes", ["worker", "seller"])
async def test_a_process_that_dies_on_the_way_leaves_one_label(
    ctx: Context, carriage: Carriage, armed: Callable[[str], None], point: str, comes: str
) -> None:
    market = carriage.market
    _, parcel_id = carriage.parcel()
    asked = intent(parcel_id, carriage.seller)
    armed(point)
    with pytest.raises(FailpointError):
        await labels.buy_label(ctx, *asked)
    assert len(sold_to(market, parcel_id)) == (point == "shipping.after_buying")

    if comes == "worker":
        assert await labels.settle_labels(ctx, NOW) == 1
    answer = await labels.buy_label(ctx, *asked)
    again = await labels.buy_label(ctx, *asked)
    assert (answer.status_code, again.body) == (201, answer.body)
    (sold,) = sold_to(market, parcel_id)
    assert sold["trackingNumber"].encode() in bytes(answer.body)
    assert market.scalar("select count(*) from parcel_labels where parcel_id = %s", (parcel_id,)) == 1


def test_the_shop_is_killed_between_buying_a_label_and_writing_it_down(
    server: Server, carriage: Carriage, tmp_path: Path
) -> None:
    _, parcel_id = carriage.parcel()
    doomed = Server("api", "SOUK_API_URL", tmp_path, {**server.env, "SOUK_HOME": str(tmp_path)})
    doomed.start(SOUK_FAILPOINTS="shipping.after_buying=kill")
    path = f"/api/v1/sellers/me/parcels/{parcel_id}/label"
    with doomed.client() as client:
        login = client.post("/api/v1/auth/login", json={"email": carriage.seller.email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {login.json()['accessToken']}", "Idempotency-Key": "killed"}
        with pytest.raises(httpx.TransportError):
            client.post(path, json=carriage.offer(), headers=headers)
    assert doomed.wait(10) == KILLED

    body = carriage.label(parcel_id, key="killed")
    assert [one["trackingNumber"] for one in sold_to(carriage.market, parcel_id)] == [body["trackingNumber"]]


async def test_mutant_a_key_per_attempt_buys_a_second_label(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, parcel_id = carriage.parcel()
    asked = intent(parcel_id, carriage.seller)
    monkeypatch.setattr(Label, "carrier_key", property(lambda self: f"attempt-{uuid4()}"))
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await labels.buy_label(ctx, *asked)
    assert (await labels.buy_label(ctx, *asked)).status_code == 201

    assert len(sold_to(market, parcel_id)) == 2


async def test_a_process_that_dies_while_giving_back_is_finished_by_the_worker(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    _, parcel_id = carriage.parcel()
    carriage.label(parcel_id)
    actor, key, parcel, _ = intent(parcel_id, carriage.seller)
    armed("shipping.after_cancelling")
    with pytest.raises(FailpointError):
        await labels.cancel_label(ctx, actor, key, parcel)
    assert await labels.settle_labels(ctx, NOW) == 1
    assert b'"status":"cancelled"' in bytes((await labels.cancel_label(ctx, actor, key, parcel)).body)
    assert [one["status"] for one in sold_to(market, parcel_id)] == ["cancelled"]


async def test_a_cancelled_order_gives_its_labels_back(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    bought, asked = carriage.parcel(), carriage.parcel()
    carriage.label(bought[1])
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await labels.buy_label(ctx, *intent(asked[1], carriage.seller))
    for order_id, _ in (bought, asked):
        assert market.post(carriage.buyer, f"{order_id}/cancel").status_code == 200
    await settle(ctx)
    assert await labels.settle_labels(ctx, NOW) == 2
    for _, parcel_id in (bought, asked):
        assert [one["status"] for one in sold_to(market, parcel_id)] == ["cancelled"]


async def test_an_order_that_is_changed_gives_back_the_labels_it_had(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    order_id, parcel_id = carriage.parcel(packed=False)
    carriage.label(parcel_id)
    payload = f'{{"orderId": "{order_id}"}}'
    edited = Pending(uuid4(), "order", UUID(order_id), 9, EDITED, payload, clock.now())

    async def read() -> int:
        await ctx.db.run(lambda tx: DOORS[0](ctx, tx, [edited]))
        return await labels.settle_labels(ctx, NOW)

    assert await read() == 1
    assert carriage.label(parcel_id)["status"] == "bought"
    assert await read() == 0
    assert [one["status"] for one in sold_to(market, parcel_id)] == ["cancelled", "bought"]


def reached(carriage: Carriage, parcel_id: str, status: str) -> bool:
    return carriage.status(parcel_id) == status


def test_the_carrier_brings_a_parcel_by_itself(market: Market, carriage: Carriage) -> None:
    order_id, parcel_id = carriage.parcel()
    number = carriage.label(parcel_id)["trackingNumber"]
    for kind, status in (("accepted", "shipped"), ("in_transit", "shipped"), ("out_for_delivery", "shipped")):
        assert market.sandbox.scan(number)["kind"] == kind
        wait_until(partial(reached, carriage, parcel_id, status), 10)
    last = market.sandbox.scan(number)
    wait_until(partial(reached, carriage, parcel_id, "delivered"), 10)

    tracked = market.client.get(f"/api/v1/orders/{order_id}/tracking", headers=carriage.buyer.headers).json()
    assert tracked["status"] == "delivered"
    (parcel,) = tracked["parcels"]
    assert [event["kind"] for event in parcel["events"]] == [
        *("accepted", "in_transit", "out_for_delivery", "delivered")
    ]
    assert (parcel["carriage"], parcel["late"], parcel["daysLate"]) == ("delivered", False, 0)
    assert parcel["deliveredAt"] == parcel["events"][-1]["at"]
    assert parcel["deliveredAt"].removesuffix("Z")[:19] == last["occurredAt"].removesuffix("Z")[:19]
    steps = market.sql.execute(
        "select to_status, actor_kind, reason from parcel_events where parcel_id = %s order by sequence", (parcel_id,)
    ).fetchall()
    assert steps[2:] == [("processing", "seller", None), ("shipped", "service", "scanned"), (
        "delivered", "service", "scanned"
    )]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_messages_in_any_order_take_a_parcel_to_one_place(market: Market, carriage: Carriage, seed: int) -> None:
    order_id, parcel_id = carriage.parcel()
    number = carriage.label(parcel_id)["trackingNumber"]
    events = carriage.events(number, "accepted", "in_transit", "exception", "out_for_delivery", "delivered")
    orders = list(permutations(events))
    for event in random.Random(seed).choice(orders):
        answer = carriage.say([event, event])
        assert (answer.status_code, answer.json()) == (200, {"taken": 1, "repeated": 1})
    again = carriage.say(events)
    assert again.json() == {"taken": 0, "repeated": 5}

    assert carriage.status(parcel_id) == "delivered"
    arrived = market.scalar("select delivered_at from parcels where parcel_id = %s", (parcel_id,))
    assert arrived.isoformat() == events[-1]["occurredAt"]
    assert (
        market.client.get(f"/api/v1/orders/{order_id}", headers=carriage.buyer.headers).json()["status"] == "delivered"
    )


async def followed(ctx: Context) -> None:
    """The worker has looked at every label that was bought so far."""
    while await follow_due(ctx):
        pass


async def test_a_parcel_that_is_scanned_before_it_is_packed_keeps_its_scans(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    _, parcel_id = carriage.parcel(packed=False)
    number = carriage.label(parcel_id)["trackingNumber"]
    assert carriage.say(carriage.events(number, "accepted", "delivered")).status_code == 200
    await followed(ctx)
    assert (carriage.status(parcel_id), carriage.scans(number)) == ("confirmed", 2)
    assert carriage.do(parcel_id, "process").status_code == 200

    assert await follow_due(ctx) == 1
    assert carriage.status(parcel_id) == "delivered"
    assert await follow_due(ctx) == 0


async def test_a_scan_that_comes_before_its_label_is_written_down_is_kept(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    _, parcel_id = carriage.parcel()
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await labels.buy_label(ctx, *intent(parcel_id, carriage.seller))
    number = sold_to(market, parcel_id)[0]["trackingNumber"]
    assert carriage.say(carriage.events(number, "accepted")).json() == {"taken": 1, "repeated": 0}
    assert carriage.status(parcel_id) == "processing"
    await followed(ctx)

    assert await labels.settle_labels(ctx, NOW) == 1
    assert await follow_due(ctx) == 1
    assert carriage.status(parcel_id) == "shipped"


def test_a_message_of_an_unknown_parcel_is_kept_and_moves_none(carriage: Carriage) -> None:
    assert carriage.say(carriage.events("SBX-UNKNOWN", "delivered")).json() == {"taken": 1, "repeated": 0}
    assert carriage.scans("SBX-UNKNOWN") == 1


def test_a_number_that_a_seller_typed_in_is_not_the_carriers_parcel(market: Market, carriage: Carriage) -> None:
    """Whoever types in somebody else's number learns nothing, and moves nothing."""
    _, theirs = carriage.parcel()
    number = carriage.label(theirs)["trackingNumber"]
    _, mine = carriage.parcel()
    shipped = carriage.do(mine, "ship", {"carrier": "sandbox", "trackingNumber": number})
    assert shipped.status_code == 200, shipped.text
    assert carriage.say(carriage.events(number, "accepted", "delivered")).status_code == 200
    assert (carriage.status(theirs), carriage.status(mine)) == ("delivered", "shipped")
    seen = market.client.get(f"/api/v1/sellers/me/parcels/{mine}/tracking", headers=carriage.seller.headers).json()
    assert (seen["events"], seen["carriage"], seen["trackingNumber"]) == ([], None, number)


@pytest.mark.parametrize(
    "changed",
    [
        {"unsigned": True},
        {"key": "another-key"},
        {"at": clock.now() - timedelta(seconds=400)},
        {"at": clock.now() + timedelta(hours=1)},
        {"body": b'{"events":[]}'},
    ],
)
def test_a_message_that_is_not_the_carriers_is_refused(carriage: Carriage, changed: dict[str, Any]) -> None:
    number = f"SBX{uuid4().hex[:12]}"
    problem(carriage.say(carriage.events(number, "lost"), **changed), 401, "webhook-refused")
    assert carriage.scans(number) == 0


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"kind": "teleported"}, "/events/1/kind"),
        ({"eventId": ""}, "/events/1/eventId"),
        ({"occurredAt": "yesterday"}, "/events/1/occurredAt"),
        ({"occurredAt": "2026-11-27T08:00:00"}, "/events/1/occurredAt"),
        ({"occurredAt": "2999-01-01T00:00:00Z"}, "/events/1/occurredAt"),
        ({"trackingNumber": "a\u202eb"}, "/events/1/trackingNumber"),
        ({"place": "a\u202eb"}, "/events/1/place"),
        ({"note": "x" * 201}, "/events/1/note"),
        ({"seller": 1}, "/events/1/seller"),
    ],
)
def test_a_message_with_one_wrong_event_is_refused_whole(
    carriage: Carriage, fault: dict[str, Any], pointer: str
) -> None:
    number = f"SBX{uuid4().hex[:12]}"
    right, wrong = carriage.events(number, "accepted", "delivered")
    errors = problem(carriage.say([right, {**wrong, **fault}]), 422, "validation-failed")["errors"]
    assert pointer in {error["pointer"] for error in errors}
    assert carriage.scans(number) == 0


def test_an_event_that_says_something_else_under_its_id_is_refused(market: Market, carriage: Carriage) -> None:
    _, parcel_id = carriage.parcel()
    number = carriage.label(parcel_id)["trackingNumber"]
    first, second = carriage.events(number, "accepted", "delivered")
    assert carriage.say([first]).status_code == 200
    refused = problem(carriage.say([second, {**first, "kind": "lost"}]), 409, "scan-reused")
    assert refused["eventIds"] == [first["eventId"]]
    assert (carriage.scans(number), carriage.status(parcel_id)) == (1, "shipped")
    twice = problem(carriage.say([second, {**second, "kind": "lost"}]), 409, "scan-reused")
    assert twice["eventIds"] == [second["eventId"]]
    assert carriage.scans(number) == 1
    unknown = market.client.post("/api/v1/shipping/webhooks/nobody", content=b"{}")
    problem(unknown, 404, "carrier-not-found")


async def test_a_process_that_dies_after_storing_a_message_loses_nothing(
    ctx: Context, market: Market, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    """The carrier gets no answer and sends it again; everything of it was taken before, and the parcel follows now."""
    _, parcel_id = carriage.parcel()
    number = carriage.label(parcel_id)["trackingNumber"]
    await followed(ctx)
    scan = Scan(uuid4().hex, number, "accepted", clock.now())
    armed("shipping.after_taking")
    with pytest.raises(FailpointError):
        await take_scans(ctx, "sandbox", [scan])
    assert (carriage.scans(number), carriage.status(parcel_id), await follow_due(ctx)) == (1, "processing", 0)

    assert (await take_scans(ctx, "sandbox", [scan])).repeated == 1
    assert carriage.status(parcel_id) == "shipped"
