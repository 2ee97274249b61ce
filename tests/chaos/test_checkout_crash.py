"""R-P2: never charged but unordered, never charged twice, whoever dies and whenever.

kill -9 of the API and of the worker at every failpoint of the saga and of the outbox relay, Postgres stopped without a
checkpoint at several of them, and the owner of a checkout paused past its lease. Afterwards: every checkout is
finished, every invariant holds, the gateway's own ledger says the same as our payments, and every buyer who asks again
gets one final answer.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from api import nouns
from api.checkout.edits.failpoints import POINTS as EDIT_POINTS
from api.kernel.outbox import STREAM
from api.mail.failpoints import POINTS as MAIL_POINTS
from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from api.orders.failpoints import POINTS as INVOICE_POINTS
from api.orders.labels.failpoints import POINTS as CARRIER_POINTS
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env, running_sandbox, wait_until
from tests.harness.fleet import Fleet
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.processes import KILLED, paused
from tests.harness.workload import Purchase, from_cart, purchases, send_all

# A quiet machine needs a tenth of it; a test that kills dozens of processes on a busy one must not be judged by its
# clock.
pytestmark = pytest.mark.timeout(900)
LEASE_SECONDS = 2
SETTLED_WITHIN = 90
# Passed by the API alone, before there is a checkout that the worker could take over.
OPENING_POINTS = ("checkout.before_create", "checkout.after_create")
DRIVING_POINTS = (
    "checkout.before_authorise",
    "checkout.after_authorise",
    "checkout.after_confirm",
    "checkout.before_capture",
    "checkout.after_capture",
    "checkout.after_complete",
)
API_POINTS = (*OPENING_POINTS, *DRIVING_POINTS)
COMPENSATION_POINTS = ("checkout.before_compensate", "checkout.after_void")
OUTBOX_POINTS = ("outbox.before_publish", "outbox.after_publish")
POSTGRES_POINTS = ("checkout.before_create", "checkout.after_authorise", "checkout.after_capture")
SEEDS = [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 21))]


@dataclass
class World:
    """One shop with a durable database, a gateway, and processes that can be forked and killed."""

    postgres: PostgresHarness
    database_url: str
    redis_url: str
    sandbox: Sandbox
    fleet: Fleet
    api: Server
    market: Market
    products: list[dict[str, Any]]

    def open_checkouts(self) -> int:
        return int(
            self.market.scalar("select count(*) from checkouts where recovery_point not in ('completed', 'failed')")
        )

    def settle(self) -> float:
        """A healthy worker until nothing is open; seconds it took."""
        worker, began = self.fleet.worker(), time.monotonic()
        self.market.wait_until_settled(SETTLED_WITHIN)
        took = time.monotonic() - began
        wait_until(lambda: self.market.scalar("select count(*) from outbox_events where published_at is null") == 0, 30)
        worker.kill9()
        return took

    def check(self, sent: Sequence[Purchase], answers: Sequence[httpx.Response | None]) -> None:
        """Everybody asks again and gets one final answer, the one they may have had already; then every invariant."""
        worker = self.fleet.worker()
        again = [ask_until_final(purchase, self.api.url) for purchase in sent]
        self.market.wait_until_settled(SETTLED_WITHIN)
        worker.kill9()
        for purchase, first, second in zip(sent, answers, again, strict=True):
            if first is not None and first.status_code < 500:
                assert (first.status_code, first.content) == (second.status_code, second.content), purchase.key
            if second.status_code == 201:
                status = self.market.scalar(
                    "select status from orders where order_id = %s", (second.json()["orderId"],)
                )
                assert status == "confirmed"
            if purchase.session:
                self.check_cart(purchase, ordered=second.status_code == 201)
        assert violations(self.database_url, [Gateway(self.sandbox.url, SANDBOX_KEY)]) == []

    def check_cart(self, purchase: Purchase, *, ordered: bool) -> None:
        """What was ordered has left the cart, and nothing has when there is no order; nobody claims it any more."""
        row = self.market.sql.execute(
            "select c.claimed_by, (select count(*) from cart_items i where i.cart_id = c.cart_id),"
            " (select count(*) from checkouts o where o.session_id = c.session_id and o.recovery_point = 'completed')"
            " from carts c where c.session_id = %s",
            (purchase.session,),
        ).fetchone()
        assert row is not None
        assert row[0] is None, purchase.key
        assert (row[1] > 0, row[2]) == ((False, 1) if ordered else (True, 0)), purchase.key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("crash")
    with (
        running_postgres(folder / "postgres", fsync=True) as postgres,
        running_sandbox(folder, stall_seconds=3) as sandbox,
    ):
        url = postgres.url(postgres.fresh_database())
        env = buying_env(
            sandbox,
            DATABASE_URL=url,
            REDIS_URL=redis_url,
            SOUK_CHECKOUT_LEASE_SECONDS=str(LEASE_SECONDS),
            # A checkout that is given up because it is old passes no more points: on a slow machine too it must wait.
            SOUK_CHECKOUT_DEADLINE_SECONDS="600",
            SOUK_GATEWAY_TIMEOUT_SECONDS="2",
            SOUK_DB_POOL_SIZE="4",
        )
        with Fleet(folder / "souk", env) as fleet:
            api = fleet.api()
            market = Market(api, url, sandbox)
            seller = market.person("seller")
            products = [market.product(seller, stock=5_000, price=5.0 + n) for n in range(6)]
            yield World(postgres, url, redis_url, sandbox, fleet, api, market, products)
            market.close()


def test_every_failpoint_is_exercised() -> None:
    """Here, those of the mail in `tests/integration/api/mail/test_mail.py`, those of labels and scans in
    `tests/integration/api/orders/test_carriers.py`, those of edits in
    `tests/integration/api/checkout/test_edit_crash.py`, and those of invoices in
    `tests/integration/api/orders/test_invoices.py`."""
    elsewhere = {*MAIL_POINTS, *CARRIER_POINTS, *EDIT_POINTS, *INVOICE_POINTS}
    assert {*API_POINTS, *COMPENSATION_POINTS, *OUTBOX_POINTS, *elsewhere} == nouns.failpoints()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_api_is_killed_at_every_point(world: World, seed: int) -> None:
    doomed = {point: world.fleet.api(SOUK_FAILPOINTS=f"{point}=kill") for point in API_POINTS}
    sent: list[tuple[Purchase, str]] = []
    for point, child in doomed.items():
        shoppers = purchases(
            seed, f"api-{point}", world.products, ("pm_sandbox_ok", "pm_sandbox_ok", "pm_sandbox_timeout")
        )
        first, second = itertools.islice(shoppers, 2)
        sent += [(first, child.url), (from_cart(second, world.api.url), child.url)]
    answers = send_all(sent)
    for point, child in doomed.items():
        assert child.wait(60) == KILLED, point
    assert None in answers
    took = world.settle()
    print(
        f"R-P2 seed {seed}: API killed at {len(doomed)} points with {len(sent)} orders in flight, all finished"
        f" {took:.1f} s later"
    )
    world.check([purchase for purchase, _ in sent], answers)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_worker_is_killed_at_every_point(world: World, seed: int) -> None:
    """APIs that die leave the worker its work; an API whose gateway is away leaves it compensations."""
    points = [*DRIVING_POINTS, *COMPENSATION_POINTS, *OUTBOX_POINTS]
    abandoned = abandon(world, f"worker-{seed}", len(points) + 4, seed)
    for point in DRIVING_POINTS:
        worker = world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill")
        assert worker.wait(90) == KILLED, point
    world.sandbox.faults(unavailable=True)
    undone = list(itertools.islice(purchases(seed, f"undo-{seed}", world.products, ("pm_sandbox_ok",)), 3))
    undone[0] = from_cart(undone[0], world.api.url)
    # An API of its own: its breaker may open and stay open, which the others' must not.
    lonely = world.fleet.api()
    refused = send_all([(purchase, lonely.url) for purchase in undone])
    lonely.kill9()
    world.sandbox.faults()
    assert [answer.status_code if answer else None for answer in refused] == [503] * 3
    for point in [*COMPENSATION_POINTS, *OUTBOX_POINTS]:
        worker = world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill")
        assert worker.wait(90) == KILLED, point
    took = world.settle()
    print(f"R-P2 seed {seed}: worker killed at {len(points)} points, all finished {took:.1f} s after the last")
    events = world.market.scalar("select count(*) from outbox_events")
    with redis.Redis.from_url(world.redis_url, decode_responses=True) as stream:
        seen = {fields["eventId"] for _, fields in stream.xrange(STREAM)}
    assert len(seen) == events
    world.check([*abandoned, *undone], [*([None] * len(abandoned)), *refused])


@pytest.mark.parametrize("seed", SEEDS)
def test_postgres_stops_without_a_checkpoint(world: World, seed: int) -> None:
    """The process stands still at a point while the database goes away and comes back."""
    sleepers = {point: world.fleet.api(SOUK_FAILPOINTS=f"{point}=sleep:3") for point in POSTGRES_POINTS}
    sent = [
        (next(purchases(seed, f"postgres-{point}", world.products, ("pm_sandbox_ok",))), child.url)
        for point, child in sleepers.items()
    ]
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_all, sent)
        time.sleep(1.0)
        # From this thread: the server is bound to the life of the thread that started it.
        world.postgres.immediate_stop()
        world.postgres.start()
        answers = sending.result()
    world.market.reconnect()
    for child in sleepers.values():
        child.kill9()
    world.settle()
    world.check([purchase for purchase, _ in sent], answers)


@pytest.mark.parametrize("point", ["checkout.before_authorise", "checkout.before_capture"])
def test_an_owner_that_slept_past_its_lease_changes_nothing(world: World, point: str) -> None:
    sleeper = world.fleet.api(SOUK_FAILPOINTS=f"{point}=sleep:0.5")
    purchase = next(purchases(1, f"pause-{point}", world.products, ("pm_sandbox_ok",)))
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(purchase.send, sleeper.url)
        wait_until(lambda: world.open_checkouts() == 1, 20)
        time.sleep(0.3)
        with paused(sleeper):
            world.settle()
        first = sending.result()
    assert first is not None
    assert first.status_code in {201, 503}
    sleeper.kill9()
    world.check([purchase], [first])


def test_mutant_a_key_per_attempt_charges_twice(world: World) -> None:
    doomed = world.fleet.api(mutant="a key per attempt", SOUK_FAILPOINTS="checkout.after_capture=kill")
    purchase = next(purchases(1, "mutant", world.products, ("pm_sandbox_ok",)))
    assert purchase.send(doomed.url) is None
    worker = world.fleet.worker(mutant="a key per attempt")
    world.market.wait_until_settled(SETTLED_WITHIN)
    worker.kill9()
    broken = {
        violation.check for violation in violations(world.database_url, [Gateway(world.sandbox.url, SANDBOX_KEY)])
    }
    assert {"R-I6-twice", "R-I6-payments"} <= broken


def ask_until_final(purchase: Purchase, url: str) -> httpx.Response:
    """The same request again, as a client should after 503, 409 in flight or nothing at all."""
    deadline = time.monotonic() + SETTLED_WITHIN
    while True:
        answer = purchase.send(url)
        if answer is not None and answer.status_code in {201, 402, 409} and "request-in-flight" not in answer.text:
            return answer
        assert time.monotonic() < deadline, (purchase.key, answer and answer.text)
        time.sleep(0.3)


def abandon(world: World, name: str, count: int, seed: int) -> list[Purchase]:
    """`count` checkouts whose API was killed before it had done much."""
    shoppers = purchases(seed, name, world.products, ("pm_sandbox_ok", "pm_sandbox_ok", "pm_sandbox_timeout"))
    wanted = [
        from_cart(purchase, world.api.url) if number % 2 else purchase
        for number, purchase in enumerate(itertools.islice(shoppers, count))
    ]
    left = list(wanted)
    while left:
        child = world.fleet.api(SOUK_FAILPOINTS="checkout.after_create=kill")
        send_all([(purchase, child.url) for purchase in left])
        # It may still live: what looked lost was committed by the database after its client's death, and is in flight.
        child.kill9()
        known = {row[0] for row in world.market.sql.execute("select idempotency_key from checkouts").fetchall()}
        left = [purchase for purchase in left if purchase.key not in known]
    return wanted
