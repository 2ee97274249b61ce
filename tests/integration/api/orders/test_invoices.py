"""Invoices and credit notes: who gets which and when, to the cent, numbered without gaps, the same bytes for ever."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text

from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.operations.invariants.run import violations
from api.orders.invoices import commands
from api.orders.invoices.jobs import write_late
from tests.harness.api import Server
from tests.harness.buying import ADDRESS, Market, Worker
from tests.harness.documents import invoices, misstated, said_by, ship
from tests.harness.kits import kit_of
from tests.harness.mailing import mailing_context, mails_to, settle, token_in
from tests.harness.processes import KILLED
from tests.harness.sessions import guest_headers
from tests.harness.shop import PASSWORD, Person, problem

GERMAN = {"street": "Königstr. 1", "city": "Köln", "zipCode": "50667", "country": "DE", "name": "Zoë Łódź"}
REASON = {"X-Access-Reason": "the tax office asks for it"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    async with mailing_context(database_url, redis_url, tmp_path_factory.mktemp("invoices")) as context:
        yield context


@pytest.fixture(scope="module")
def sellers(market: Market, seller: Person) -> list[Person]:
    return [seller, market.person("seller")]


def _order(market: Market, buyer: Person, sellers: list[Person], units: int = 2, **fields: Any) -> str:
    """An order with two lines of the first seller, and one of each other."""
    products = [
        market.product(one, stock=50, price=round(19.99 + 7 * n, 2)) for n, one in enumerate([sellers[0], *sellers])
    ]
    answer = market.buy(buyer, market.order_body(*((product, units) for product in products), **fields))
    assert answer.status_code == 201, answer.text
    order_id: str = answer.json()["orderId"]
    return order_id


def _deliver(market: Market, order_id: str, seller: Person) -> None:
    shown = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=seller.headers).json()
    for parcel in shown["parcels"]:
        if parcel["status"] == "shipped":
            headers = {**seller.headers, "Idempotency-Key": next(market.keys)}
            answer = market.client.post(f"/api/v1/sellers/me/parcels/{parcel['parcelId']}/deliver", headers=headers)
            assert answer.status_code == 200


def _cents(amounts: list[dict[str, Any]], name: str = "total") -> Decimal:
    return sum((Decimal(str(one[name])) * (1 if one["kind"] == "invoice" else -1) for one in amounts), Decimal(0))


async def test_the_first_parcel_brings_an_invoice_of_each_seller_and_each_sees_what_is_theirs(
    market: Market, sellers: list[Person], context: Context
) -> None:
    buyer, stranger = market.person(), market.person("seller")
    order_id = _order(market, buyer, sellers, shippingAddress=GERMAN)
    await settle(context)
    assert invoices(market, order_id, buyer) == []

    ship(market, order_id, sellers[0])
    await settle(context)
    await settle(context)

    shown = invoices(market, order_id, buyer)
    order = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()
    assert [one["kind"] for one in shown] == ["invoice", "invoice"]
    assert {one["sellerId"] for one in shown} == {one.user_id for one in sellers}
    assert float(_cents(shown)) == order["total"]
    assert float(_cents(shown, "tax")) == order["tax"]
    for one in shown:
        assert Decimal(str(one["net"])) + Decimal(str(one["tax"])) == Decimal(str(one["total"]))
        assert [row["rate"] for row in one["taxes"]] == [0.19]
        # The sellers are established in the US: the shop owes the tax in Germany, and issues.
        assert (one["issuer"], one["deemedSupplier"]) == ("Souk", True)
    for shop in sellers:
        assert [found["sellerId"] for found in invoices(market, order_id, shop)] == [shop.user_id]
        mine = market.client.get("/api/v1/sellers/me/invoices", headers=shop.headers).json()["invoices"]
        assert order_id in {found["orderId"] for found in mine}
        assert {found["sellerId"] for found in mine} == {shop.user_id}
    path = f"/api/v1/orders/{order_id}/invoices"
    for nobody in (stranger, market.person()):
        problem(market.client.get(path, headers=nobody.headers), 404, "order-not-found")
        problem(market.client.get(shown[0]["pdf"], headers=nobody.headers), 404, "invoice-not-found")
    other = next(one for one in shown if one["sellerId"] == sellers[1].user_id)
    problem(market.client.get(other["pdf"], headers=sellers[0].headers), 404, "invoice-not-found")


async def test_a_document_is_the_same_bytes_whatever_happens_later_and_says_all_to_the_buyer_alone(
    market: Market, sellers: list[Person], context: Context
) -> None:
    buyer = market.person()
    order_id = _order(market, buyer, sellers, shippingAddress=GERMAN)
    ship(market, order_id, sellers[0])
    await settle(context)
    shown = next(one for one in invoices(market, order_id, buyer) if one["sellerId"] == sellers[0].user_id)

    first = market.client.get(shown["pdf"], headers=buyer.headers)
    assert (first.status_code, first.headers["content-type"]) == (200, "application/pdf")
    words = said_by(first.content)
    for said in ("Invoice", shown["number"], "Zoë Łódź", "Königstr. 1", "Köln 50667", "19 %", f"{shown['total']:.2f}"):
        assert said in words
    copy = said_by(market.client.get(shown["pdf"], headers=sellers[0].headers).content)
    assert "Königstr" not in copy
    assert "Zoë" not in copy
    assert f"{shown['total']:.2f}" in copy

    market.sql.execute("update sellers set name = 'Renamed', country = 'FR'")
    market.sql.execute("update users set name = 'Renamed' where user_id = %s", (buyer.user_id,))
    market.sql.execute("update order_items set title = 'Renamed' where order_id = %s", (order_id,))
    assert market.client.get(shown["pdf"], headers=buyer.headers).content == first.content
    market.sql.execute("update sellers set country = 'US'")


async def test_mail_and_invoice_name_the_kit_that_was_bought(market: Market, seller: Person, context: Context) -> None:
    buyer = market.person()
    camera, film, mug = (market.product(seller, price=price) for price in (30.0, 3.33, 8.0))
    kit = kit_of(market, seller, (camera, 1), (film, 3), price=35.0)
    answer = market.buy(buyer, market.order_body((kit, 2), (mug, 1)))
    assert answer.status_code == 201, answer.text
    order_id = answer.json()["orderId"]

    told = (await mails_to(context, buyer.email))[0].text
    ship(market, order_id, seller)
    await settle(context)

    assert f"2 x {kit['title']}: 70.00 USD\n    2 x {camera['title']}\n" in told
    units = re.findall(rf"^    (\d+) x {film['title']}$", told, re.MULTILINE)
    assert sum(map(int, units)) == 6
    assert f"1 x {mug['title']}: 8.00 USD\n" in told
    (invoice,) = invoices(market, order_id, buyer)
    words = said_by(market.client.get(invoice["pdf"], headers=buyer.headers).content)
    assert words.count(kit["title"]) == 1
    for name in (f"{kit['title']}, 2 units ordered:", f"– {camera['title']}", f"– {film['title']}"):
        assert name in words
    assert f"– {mug['title']}" not in words
    assert misstated(market.sql, [order_id]) == []


async def test_an_administrator_sees_the_buyer_for_a_reason_that_is_written_down(
    market: Market, sellers: list[Person], context: Context
) -> None:
    person = market.person()
    market.sql.execute("update users set user_type = 'admin' where user_id = %s", (person.user_id,))
    login = {"email": person.email, "password": PASSWORD}
    token = market.client.post("/api/v1/auth/login", json=login).json()["accessToken"]
    admin = {"Authorization": f"Bearer {token}"}
    order_id = _order(market, market.person(), sellers, shippingAddress=GERMAN)
    ship(market, order_id, sellers[0])
    await settle(context)
    shown = invoices(market, order_id, admin)[0]

    assert "Königstr" not in said_by(market.client.get(shown["pdf"], headers=admin).content)
    query = "select fields, reason from buyer_data_accesses where order_id = %s"
    assert market.sql.execute(query, (order_id,)).fetchall() == []
    assert "Königstr" in said_by(market.client.get(shown["pdf"], headers={**admin, **REASON}).content)
    assert market.sql.execute(query, (order_id,)).fetchall() == [(["invoice_address"], REASON["X-Access-Reason"])]


async def test_a_guest_reads_invoices_by_session_or_by_mailed_code(
    market: Market, seller: Person, context: Context
) -> None:
    guest, email = guest_headers(), f"{uuid4().hex[:8]}@example.com"
    answer = market.buy(guest, market.order_body((market.product(seller), 1), email=email))
    order_id = answer.json()["orderId"]
    ship(market, order_id, seller)
    code = token_in((await mails_to(context, email))[0])

    (shown,) = invoices(market, order_id, guest)
    assert invoices(market, order_id, guest_headers(), **{"X-Order-Token": code}) == [shown]
    assert market.client.get(shown["pdf"], headers={"X-Order-Token": code}).content.startswith(b"%PDF")
    for wrong in (code[:-1] + ("A" if code[-1] != "A" else "B"), "x"):
        answer = market.client.get(f"/api/v1/orders/{order_id}/invoices", headers={"X-Order-Token": wrong})
        problem(answer, 404, "order-not-found")


async def test_what_is_cancelled_before_is_not_billed_and_what_is_refunded_after_is_credited_once(
    market: Market, sellers: list[Person], context: Context
) -> None:
    buyer = market.person()
    order_id = _order(market, buyer, sellers, units=3)
    items = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"]
    mine = [item for item in items if item["sellerId"] == sellers[0].user_id]
    other = next(item for item in items if item["sellerId"] == sellers[1].user_id)
    assert market.post(buyer, f"{order_id}/items/{mine[0]['orderItemId']}/cancel", {"quantity": 1}).status_code == 200
    ship(market, order_id, sellers[0])
    await settle(context)
    assert len(invoices(market, order_id, buyer)) == 2
    captured, refunded = market.money_of(order_id)
    assert _cents(invoices(market, order_id, buyer)) == captured - refunded
    (billed,) = market.sql.execute(
        "select content -> 'lines' -> 0 ->> 'quantity' from invoices where order_id = %s and seller_id = %s",
        (order_id, sellers[0].user_id),
    ).fetchall()
    assert billed == ("2",)

    answer = market.post(buyer, f"{order_id}/items/{other['orderItemId']}/cancel", {"quantity": 2})
    assert answer.status_code == 200
    await settle(context)
    await settle(context)
    notes = [one for one in invoices(market, order_id, buyer) if one["kind"] == "credit_note"]
    assert [one["sellerId"] for one in notes] == [sellers[1].user_id]
    assert notes[0]["total"] == answer.json()["refundAmount"]
    invoice = next(one for one in invoices(market, order_id, sellers[1]) if one["kind"] == "invoice")
    assert notes[0]["refersTo"] == invoice["number"]
    assert "Credit note" in said_by(market.client.get(notes[0]["pdf"], headers=buyer.headers).content)


async def test_an_order_that_is_cancelled_as_a_whole_has_no_documents(
    market: Market, sellers: list[Person], context: Context
) -> None:
    buyer = market.person()
    order_id = _order(market, buyer, sellers)
    assert market.post(buyer, f"{order_id}/cancel").status_code == 200
    await settle(context)
    assert invoices(market, order_id, buyer) == []


def _random_step(market: Market, rng: random.Random, order_id: str, buyer: Person, sellers: list[Person]) -> None:
    """Something that may happen to an order; what is refused then changes nothing."""
    items = market.client.get(f"/api/v1/orders/{order_id}", headers=buyer.headers).json()["items"]
    item, units = rng.choice(items), rng.randint(1, 2)
    match rng.choice(("cancel", "ship", "deliver", "deliver", "return", "return", "return", "approve", "approve")):
        case "cancel":
            market.post(buyer, f"{order_id}/items/{item['orderItemId']}/cancel", {"quantity": units})
        case "ship":
            _ship_if_open(market, order_id, rng.choice(sellers))
        case "deliver":
            _deliver(market, order_id, rng.choice(sellers))
        case "return":
            code = rng.choice(("damaged", "changed_mind", "other"))
            body = {"items": [{"orderItemId": item["orderItemId"], "quantity": units}], "reasonCode": code}
            market.post(buyer, f"{order_id}/return", body)
        case _:
            market.post(rng.choice(sellers), f"{order_id}/return/decision", {"approve": rng.random() < 0.9})


def _ship_if_open(market: Market, order_id: str, seller: Person) -> None:
    shown = market.client.get(f"/api/v1/sellers/me/orders/{order_id}", headers=seller.headers).json()
    if any(parcel["status"] == "confirmed" for parcel in shown["parcels"]):
        ship(market, order_id, seller)


def _balanced(market: Market, order_id: str, buyer: Person) -> int:
    """How many documents; asserts that they are what was charged less what was given back."""
    found = invoices(market, order_id, buyer)
    if found:
        captured, refunded = market.money_of(order_id)
        assert _cents(found) == captured - refunded
    return len(found)


async def _histories(market: Market, sellers: list[Person], context: Context, seeds: range, steps: int) -> int:
    documents = 0
    for seed in seeds:
        rng, buyer = random.Random(seed), market.person()
        address = GERMAN if rng.random() < 0.5 else ADDRESS
        order_id = _order(market, buyer, sellers, units=rng.randint(1, 4), shippingAddress=address)
        for _ in range(steps):
            _random_step(market, rng, order_id, buyer, sellers)
            if rng.random() < 0.4:
                await settle(context)
        for one in sellers:
            _ship_if_open(market, order_id, one)
        await settle(context)
        documents += _balanced(market, order_id, buyer)
    return documents


async def test_documents_are_what_was_charged_less_what_was_refunded_after_random_histories(
    market: Market, sellers: list[Person], context: Context, database_url: str
) -> None:
    assert await _histories(market, sellers, context, range(4), 14) > 4
    assert violations(database_url) == []


@pytest.mark.slow
async def test_the_same_after_many(market: Market, sellers: list[Person], context: Context, database_url: str) -> None:
    assert await _histories(market, sellers, context, range(100, 150), 25) > 100
    assert violations(database_url) == []


def _gaps(market: Market) -> list[tuple[Any, ...]]:
    """Series of numbers that are not 1 to their last one."""
    query = (
        "select issuer_id, kind, year from invoices group by 1, 2, 3 having max(number) <> count(*) or min(number) <> 1"
    )
    return market.sql.execute(query).fetchall()


@contextmanager
def _failing(share: float, seed: int) -> Iterator[None]:
    """Some writers fail when they have their numbers, as one that is killed does."""
    rng, passed = random.Random(seed), failpoints.hit

    def hit(name: str) -> None:
        passed(name)
        if name == "invoices.after_numbers" and rng.random() < share:
            raise RuntimeError(name)

    with patch.object(failpoints, "hit", hit):
        yield


async def _written_by_many(context: Context, orders: list[str], seed: int) -> None:
    """16 writers at a time, some of the same order, of which a third fails; then all that is left."""

    async def write(order_id: str) -> None:
        with suppress(RuntimeError):
            await commands.write_documents(context, {UUID(order_id)})

    queue = [order for order in orders for _ in range(2)]
    random.Random(seed).shuffle(queue)
    with _failing(0.33, seed):
        for start in range(0, len(queue), 16):
            await asyncio.gather(*(write(order) for order in queue[start : start + 16]))
    await commands.write_documents(context, [UUID(order) for order in orders])


async def test_numbers_have_no_gap_under_sixteen_writers_some_of_which_fail(
    market: Market, sellers: list[Person], context: Context
) -> None:
    """The negative control takes numbers from a sequence, which keeps them when a writer fails."""
    buyer = market.person()
    orders = [_order(market, buyer, sellers, units=1) for _ in range(12)]
    for order in orders:
        ship(market, order, sellers[0])
    before = market.scalar("select count(*) from invoices")
    await _written_by_many(context, orders[:8], 1)
    assert market.scalar("select count(*) from invoices") == before + 16
    assert _gaps(market) == []

    market.sql.execute("create sequence mutant_numbers start 1000")

    async def from_sequence(tx: Tx, drafts: list[object], year: int) -> list[int]:
        return [await tx.scalar(text("select nextval('mutant_numbers')")) for _ in drafts]

    with patch.object(commands, "_numbers", from_sequence), psycopg.connect(market.database_url) as undone:
        await _written_by_many(context, orders[8:], 2)
        numbers = undone.execute("select number from invoices where number >= 1000 order by 1").fetchall()
        assert len(numbers) == 8
        assert [number for (number,) in numbers] != list(range(1000, 1008))
    market.sql.execute("alter table invoices disable trigger user")
    market.sql.execute("delete from invoices where number >= 1000")
    market.sql.execute("alter table invoices enable trigger user")
    await commands.write_documents(context, [UUID(order) for order in orders])
    assert _gaps(market) == []


@pytest.mark.slow
async def test_a_worker_that_is_killed_loses_no_number_and_writes_no_document_twice(
    market: Market, server: Server, sellers: list[Person], context: Context
) -> None:
    """Killed with its numbers taken, then with its documents stored and their event not yet marked."""
    buyer = market.person()
    order_id = _order(market, buyer, sellers)
    ship(market, order_id, sellers[0])
    for point, documents in (("invoices.after_numbers", 0), ("invoices.after_commit", 2)):
        worker = Worker(server.log.parent, {**server.env, "SOUK_FAILPOINTS": f"{point}=kill"})
        worker.start()
        assert worker.wait(30) == KILLED
        assert len(invoices(market, order_id, buyer)) == documents
    await settle(context)
    assert len(invoices(market, order_id, buyer)) == 2
    assert _gaps(market) == []


async def test_an_order_whose_event_made_nothing_gets_its_invoices_later(
    market: Market, sellers: list[Person], context: Context
) -> None:
    order_id = _order(market, market.person(), sellers)
    await settle(context)
    with patch.object(commands, "lock_orders", side_effect=RuntimeError("a fault of the moment")):
        ship(market, order_id, sellers[0])
        await settle(context)
    market.sql.execute("update parcels set shipped_at = now() where order_id = %s", (order_id,))
    assert await write_late(context) == 0
    market.sql.execute("update parcels set shipped_at = now() - interval '2 minutes' where order_id = %s", (order_id,))
    assert await write_late(context) == 2
    assert await write_late(context) == 0


@pytest.mark.parametrize(
    "change",
    ["update invoices set total = total + 1, net = net + 1", "delete from invoices", "truncate invoices cascade"],
)
def test_what_was_written_stays(market: Market, change: str) -> None:
    assert market.scalar("select count(*) from invoices") > 0
    with pytest.raises(psycopg.errors.RestrictViolation):
        market.sql.execute(change.encode())
