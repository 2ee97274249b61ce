"""Labels of returns: one for each return whose seller pays for it, whatever fails, and what its scans tell whom."""

import asyncio
import io
import random
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pypdfium2
import pytest
from PIL import Image

from api.kernel.context import Context
from api.kernel.failpoints import FailpointError
from api.mail.tokens import token_of
from api.operations.invariants.run import violations
from api.orders.labels import commands as labels
from api.orders.labels.queries import Label
from api.orders.labels.returning.commands import label_returns
from api.orders.returns.policy import POLICIES, has_label, rma_number
from api.orders.tracking.commands.scans import follow_due
from api.shipping.carriers.interface import CarrierRefused
from api.shipping.carriers.sandbox import SandboxCarrier
from orchestration.runtime.mailbox import Delivered
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market, Sandbox, Worker
from tests.harness.carriers import Carriage, running_with_carrier
from tests.harness.mailing import mails_to, token_in
from tests.harness.processes import KILLED
from tests.harness.quick import few
from tests.harness.sessions import guest_headers
from tests.harness.shop import problem

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


class Returned:
    """An approved return of units of a delivered order."""

    def __init__(self, carriage: Carriage, code: str = "damaged", units: int = 2, **order: Any) -> None:
        self.market, self.carriage = carriage.market, carriage
        guest: dict[str, str] | None = order.get("guest")
        self.buyer = guest or carriage.buyer.headers
        body = self.market.order_body((self.market.product(carriage.seller, stock=9), 3))
        if guest:
            body["email"] = order["email"]
        answer = self.market.buy(self.buyer, body)
        assert answer.status_code == 201, answer.text
        self.order: str = answer.json()["orderId"]
        self.market.deliver(carriage.seller, self.order)
        line = self.market.client.get(f"/api/v1/orders/{self.order}", headers=self.buyer).json()["items"][0]
        wanted = {"items": [{"orderItemId": line["orderItemId"], "quantity": units}], "reasonCode": code}
        asked = self._post("return", wanted, self.buyer)
        assert asked.status_code == 200, asked.text
        self.id: str = self.seen()["returnId"]
        self.path = f"/api/v1/orders/{self.order}/returns/{self.id}/label"

    def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        keyed = {**headers, "Idempotency-Key": next(self.market.keys)}
        return self.market.client.post(f"/api/v1/orders/{self.order}/{path}", json=body, headers=keyed)

    def seen(self) -> dict[str, Any]:
        body = self.market.client.get(f"/api/v1/orders/{self.order}", headers=self.buyer).json()
        newest: dict[str, Any] = body["returns"][-1]
        return newest

    def approved(self) -> "Returned":
        answer = self._post(f"returns/{self.id}/approve", {}, self.carriage.seller.headers)
        assert answer.status_code == 200, answer.text
        return self

    def get(self, who: dict[str, str], kind: str = "") -> Any:
        return self.market.client.get(f"{self.path}{kind}", headers=who)

    def sold(self) -> list[dict[str, Any]]:
        """The carrier's labels of it."""
        return [one for one in self.market.sandbox.labels() if one["reference"] == rma_number(self.id)]


@pytest.mark.parametrize("code", sorted(POLICIES))
async def test_a_return_gets_a_label_when_its_seller_pays_for_it(ctx: Context, carriage: Carriage, code: str) -> None:
    back = Returned(carriage, code)
    assert await label_returns(ctx) == 0
    expected = has_label(code)
    why = problem(back.get(back.buyer), 404, "return-label-not-found")
    assert why["detail"].startswith("A label is made for a return that" if expected else "For its reason the buyer")
    back.approved()

    assert await label_returns(ctx) == int(expected)
    assert await label_returns(ctx) == 0

    assert len(back.sold()) == int(expected)
    answer = back.get(back.buyer)
    if not expected:
        problem(answer, 404, "return-label-not-found")
        return
    body = answer.json()
    assert (body["rmaNumber"], body["returnId"]) == (rma_number(back.id), back.id)
    # The cheapest offer, for what two units weigh.
    assert (body["carrier"], body["service"], body["price"], body["currency"]) == (
        *("sandbox", "sandbox-economy", 3.9, "USD"),
    )
    assert (body["weightGrams"], body["carriage"], body["events"]) == (1_000, None, [])
    assert body["trackingNumber"] == back.sold()[0]["trackingNumber"]
    assert back.seen()["returnShippingPaidBy"] == "seller"


async def test_the_label_says_what_a_label_must_to_its_buyer_alone(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    back = Returned(carriage).approved()
    problem(back.get(back.buyer, ".pdf"), 404, "return-label-not-found")
    assert await label_returns(ctx) == 1
    number = back.sold()[0]["trackingNumber"]

    pdf, again, png = (back.get(back.buyer, kind) for kind in (".pdf", ".pdf", ".png"))

    assert (pdf.status_code, pdf.headers["content-type"], pdf.content) == (200, "application/pdf", again.content)
    assert (pdf.headers["cache-control"], png.headers["cache-control"]) == ("no-store", "no-store")
    words = pypdfium2.PdfDocument(pdf.content)[0].get_textpage().get_text_bounded()
    for said in ("SANDBOX", number, "1 High Street", "Warehouse T1", rma_number(back.id), "1.00 kg"):
        assert said in words, words
    # It goes to the warehouse: the buyer is above, the seller's warehouse below.
    assert words.index("1 High Street") < words.index("Warehouse T1")
    assert png.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(png.content)).size == (812, 1218)

    seller, admin, stranger = carriage.seller.headers, market.admin().headers, market.person("seller").headers
    for kind in (".pdf", ".png"):
        problem(back.get(seller, kind), 403, "forbidden")
        problem(back.get(admin, kind), 403, "forbidden")
        problem(back.get(stranger, kind), 404, "return-not-found")
    assert carriage.say(carriage.events(number, "accepted", "in_transit")).status_code == 200
    told = {name: back.get(who).json() for name, who in (("buyer", back.buyer), ("seller", seller), ("admin", admin))}
    assert {name: one["carriage"] for name, one in told.items()} == dict.fromkeys(told, "in_transit")
    for name in ("seller", "admin"):
        assert (told[name]["trackingNumber"], told[name]["events"], told[name]["price"]) == (None, None, 3.9)
        assert told[name]["lastScanAt"] == told["buyer"]["lastScanAt"]
    assert [event["place"] for event in told["buyer"]["events"]] == ["place 0", "place 1"]
    problem(back.get(stranger), 404, "return-not-found")
    problem(back.get(market.person().headers), 404, "return-not-found")
    # What the seller reads of the order holds neither the number nor where the buyer is.
    shown = market.client.get(f"/api/v1/sellers/me/orders/{back.order}", headers=seller)
    assert shown.json()["returns"][0]["carriage"] == "in_transit"
    for hidden in (number, ADDRESS["street"], "place 0"):
        assert hidden not in shown.text


async def test_a_guest_prints_it_with_the_mailed_code(ctx: Context, carriage: Carriage) -> None:
    email = f"{uuid4().hex[:8]}@example.com"
    back = Returned(carriage, guest=guest_headers(), email=email).approved()
    assert await label_returns(ctx) == 1
    code = {**guest_headers(), "X-Order-Token": token_in((await mails_to(ctx, email))[-1])}

    assert back.get(code, ".pdf").content == back.get(back.buyer, ".pdf").content
    assert back.get(code).json() == back.get(back.buyer).json()
    problem(back.get(guest_headers()), 404, "return-not-found")


@pytest.mark.parametrize("guest", [False, True], ids=["member", "guest"])
async def test_its_buyer_is_mailed_a_link_that_prints_it_once(
    ctx: Context, market: Market, carriage: Carriage, *, guest: bool
) -> None:
    email = f"{uuid4().hex[:8]}@example.com" if guest else carriage.buyer.email
    order: dict[str, Any] = {"guest": guest_headers(), "email": email} if guest else {}
    back = Returned(carriage, **order).approved()
    other = Returned(carriage, "no_longer_needed", **order)
    other.approved()

    async def mailed() -> list[Delivered]:
        return [one for one in await mails_to(ctx, email) if any(rma_number(r.id) in one.text for r in (back, other))]

    assert await mailed() == []
    assert await label_returns(ctx) == 1
    (told,) = await mailed()
    # Its event is read again, as by a relay that died before it said that it had read it.
    again = "update outbox_events set published_at = null where event_type = 'LabelBought'"
    market.sql.execute("alter table outbox_events disable trigger user")
    market.sql.execute(again)
    market.sql.execute("alter table outbox_events enable trigger user")
    assert await mailed() == [told]

    assert f"your return {rma_number(back.id)} of order" in told.text
    (link,) = re.findall(r"^http\S+$", told.text, re.MULTILINE)
    assert f'href="{link}"' in told.html
    path = link.removeprefix(ctx.settings.api_url)
    printed = market.client.get(path)
    assert (printed.status_code, printed.headers["cache-control"]) == (200, "no-store")
    assert printed.content == back.get(back.buyer, ".pdf").content
    code = path.removesuffix(".pdf").rpartition("/")[2]
    for wrong in (code[:-1] + ("A" if code[-1] != "A" else "Q"), "x", token_of(ctx.keys, UUID(other.id))):
        answer = market.client.get(f"/api/v1/return-labels/{wrong}.pdf")
        problem(answer, 404, "return-label-not-found")


@pytest.mark.parametrize("seed", range(2))
async def test_its_scans_in_any_order_are_the_way_of_the_return_and_decide_nothing(
    ctx: Context, market: Market, carriage: Carriage, seed: int
) -> None:
    back = Returned(carriage, units=2).approved()
    assert await label_returns(ctx) == 1
    before, money = back.seen(), market.money_of(back.order)
    events = carriage.events(
        back.sold()[0]["trackingNumber"], "accepted", "in_transit", "exception", "out_for_delivery", "delivered"
    )
    problem(carriage.say(events[:1], unsigned=True), 401, "webhook-refused")
    for event in random.Random(seed).choice(list(permutations(events))):
        assert carriage.say([event, event]).json() == {"taken": 1, "repeated": 1}

    assert back.seen() == {**before, "carriage": "delivered"}
    assert [one["kind"] for one in back.get(back.buyer).json()["events"]] == [event["kind"] for event in events]
    assert market.money_of(back.order) == money
    assert carriage.status(carriage.parcels_of(back.order)[0]) == "delivered"
    # The parcel that brought them knows nothing of it.
    tracked = market.client.get(f"/api/v1/orders/{back.order}/tracking", headers=back.buyer).json()
    assert (tracked["parcels"][0]["events"], tracked["parcels"][0]["carriage"]) == ([], None)


async def test_a_return_that_is_lost_on_its_way_stays_as_it_was_decided(
    ctx: Context, market: Market, carriage: Carriage
) -> None:
    back = Returned(carriage).approved()
    assert await label_returns(ctx) == 1
    money = market.money_of(back.order)
    assert carriage.say(carriage.events(back.sold()[0]["trackingNumber"], "accepted", "lost")).status_code == 200

    assert (back.seen()["carriage"], back.seen()["status"], market.money_of(back.order)) == ("lost", "refunded", money)
    assert market.scalar("select count(*) from returns where order_id = %s", (back.order,)) == 1


POINTS = ("shipping.before_buying", "shipping.after_buying")


@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_that_dies_on_the_way_leaves_one_label(
    ctx: Context, carriage: Carriage, armed: Callable[[str], None], point: str
) -> None:
    back = Returned(carriage).approved()
    armed(point)
    with pytest.raises(FailpointError):
        await label_returns(ctx)
    assert len(back.sold()) == (point == "shipping.after_buying")
    assert problem(back.get(back.buyer), 404, "return-label-not-found")["detail"].startswith("A carrier is being asked")

    assert await label_returns(ctx) == 0
    assert await labels.settle_labels(ctx) == 0  # its lease is not over
    assert await labels.settle_labels(ctx, NOW) == 1
    (sold,) = back.sold()
    assert back.get(back.buyer).json()["trackingNumber"] == sold["trackingNumber"]


@pytest.mark.parametrize("point", few(reversed(POINTS), 1))
async def test_a_worker_is_killed_between_the_carriers_answer_and_its_commit(
    ctx: Context, server: Server, carriage: Carriage, tmp_path: Path, point: str
) -> None:
    back = Returned(carriage).approved()
    doomed = Worker(tmp_path, {**server.env, "SOUK_HOME": str(tmp_path)})
    doomed.start(SOUK_FAILPOINTS=f"{point}=kill")
    assert doomed.wait(30) == KILLED
    assert len(back.sold()) == (point == "shipping.after_buying")

    while not await labels.settle_labels(ctx, NOW):
        await label_returns(ctx)
    (sold,) = back.sold()
    assert back.get(back.buyer).json()["trackingNumber"] == sold["trackingNumber"]


async def test_mutant_a_key_per_attempt_buys_a_second_label(
    ctx: Context, carriage: Carriage, armed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    back = Returned(carriage).approved()
    monkeypatch.setattr(Label, "carrier_key", property(lambda self: f"attempt-{uuid4()}"))
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await label_returns(ctx)
    assert await labels.settle_labels(ctx, NOW) == 1

    assert len(back.sold()) == 2


async def test_workers_that_come_together_ask_for_one_label(ctx: Context, carriage: Carriage) -> None:
    back = Returned(carriage).approved()
    assert sorted(await asyncio.gather(*(label_returns(ctx) for _ in range(4)))) == [0, 0, 0, 1]
    assert len(back.sold()) == 1


async def test_a_carrier_that_does_not_answer_is_asked_again(ctx: Context, market: Market, carriage: Carriage) -> None:
    back = Returned(carriage).approved()
    market.sandbox.faults(resets_after_commit=1_000)
    assert await label_returns(ctx) == 0
    market.sandbox.faults()
    assert back.sold() == []

    assert await label_returns(ctx) == 1
    assert len(back.sold()) == 1


async def test_a_scan_that_comes_before_the_label_is_written_down_is_kept(
    ctx: Context, carriage: Carriage, armed: Callable[[str], None]
) -> None:
    back = Returned(carriage).approved()
    armed("shipping.after_buying")
    with pytest.raises(FailpointError):
        await label_returns(ctx)
    number = back.sold()[0]["trackingNumber"]
    assert carriage.say(carriage.events(number, "accepted")).json() == {"taken": 1, "repeated": 0}
    assert await labels.settle_labels(ctx, NOW) == 1
    while await follow_due(ctx):
        pass
    assert back.seen()["carriage"] == "in_transit"


@pytest.mark.parametrize(("code", "again"), [("price_changed", 1), ("too_heavy", 0)])
async def test_what_the_carrier_refuses_is_asked_again_only_when_its_price_has_risen(
    *, ctx: Context, market: Market, carriage: Carriage, monkeypatch: pytest.MonkeyPatch, code: str, again: int
) -> None:
    async def refuse(*_: Any) -> Any:
        raise CarrierRefused(code)

    back = Returned(carriage).approved()
    with monkeypatch.context() as patched:
        patched.setattr(SandboxCarrier, "buy", refuse)
        assert await label_returns(ctx) == 0
    assert await label_returns(ctx) == again
    assert len(back.sold()) == again
    detail = None if again else problem(back.get(back.buyer), 404, "return-label-not-found")["detail"]
    assert detail in (None, "No carrier takes it: agree with the seller how it is sent.")
    states = market.sql.execute("select status from parcel_labels where return_id = %s order by created_at", (back.id,))
    assert [row[0] for row in states.fetchall()] == ["refused", "bought"][: 1 + again]


def test_postgres_refuses_a_second_live_label_of_a_return(market: Market, carriage: Carriage) -> None:
    back = Returned(carriage)
    copy = (
        "insert into parcel_labels (label_id, parcel_id, return_id, carrier, service, weight_grams, price, currency,"
        " asked_by) select gen_random_uuid(), parcel_id, return_id, 'sandbox', 's', 1, 1, 'USD', '' from returns join"
        " order_items using (order_item_id) where return_id = %s"
    )
    with market.sql.transaction(force_rollback=True):
        market.sql.execute(copy.encode(), (back.id,))
        with pytest.raises(psycopg.errors.UniqueViolation), market.sql.transaction():
            market.sql.execute(copy.encode(), (back.id,))
        market.sql.execute("drop index uq_parcel_labels_return")
        market.sql.execute(copy.encode(), (back.id,))


def test_no_check_speaks_after_all_of_it(market: Market) -> None:
    assert violations(market.database_url) == []
