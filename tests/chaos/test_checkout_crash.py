"""R-P2: never charged but unordered, never charged twice, whoever dies and whenever.

kill -9 of the API and of the worker at every failpoint of the saga and of the outbox relay, Postgres stopped without a
checkpoint at several of them, and the owner of a checkout paused past its lease. Afterwards: every checkout is
finished, every invariant holds, the gateway's own ledger says the same as our payments, every buyer who asks again gets
one final answer, and codes are redeemed by the orders that live and by no others.
"""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from api import nouns
from api.bulk.failpoints import POINTS as BULK_POINTS
from api.catalog.pictures.failpoints import POINTS as ARRIVAL_POINTS
from api.catalog.schedules.failpoints import POINTS as SCHEDULE_POINTS
from api.checkout.edits.failpoints import POINTS as EDIT_POINTS
from api.checkout.exchanges.failpoints import POINTS as EXCHANGE_POINTS
from api.kernel.outbox import STREAM
from api.mail.failpoints import POINTS as MAIL_POINTS
from api.media.failpoints import POINTS as MEDIA_POINTS
from api.orders.digital.failpoints import POINTS as DIGITAL_POINTS
from api.orders.failpoints import POINTS as INVOICE_POINTS
from api.orders.labels.failpoints import POINTS as CARRIER_POINTS
from api.reviews.failpoints import POINTS as REVIEW_POINTS
from tests.harness.buying import wait_until
from tests.harness.coupons import redeemed
from tests.harness.crash import SETTLED_WITHIN, World
from tests.harness.processes import KILLED, paused
from tests.harness.quick import few
from tests.harness.rush import rush
from tests.harness.workload import Purchase, from_cart, purchases, send_all

# A quiet machine needs a tenth of it; a test that kills dozens of processes on a busy one must not be judged by its
# clock.
pytestmark = pytest.mark.timeout(900)
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
# The orders of odd seeds have a code.
SEEDS = range(1, 21)


def test_every_failpoint_is_exercised() -> None:
    """Here, those of the mail in `tests/integration/api/mail/test_mail.py`, those of labels and scans in
    `tests/integration/api/orders/test_carriers.py`, those of edits in
    `tests/chaos/test_edit_crash.py`, those of exchanges in
    `tests/integration/api/checkout/test_exchange_crash.py`, those of invoices in
    `tests/integration/api/orders/test_invoices.py`, those of digital goods in
    `tests/chaos/test_digital_crash.py`, those of files of products in
    `tests/integration/api/bulk/test_bulk_kill.py`, those of pictures in
    `tests/integration/api/media/test_collecting.py`, those of scheduled changes in
    `tests/integration/api/catalog/test_schedules.py`, and those of reviews in
    `tests/integration/api/reviews/test_what_follows.py`."""
    elsewhere = {
        *MAIL_POINTS,
        *CARRIER_POINTS,
        *EDIT_POINTS,
        *EXCHANGE_POINTS,
        *INVOICE_POINTS,
        *DIGITAL_POINTS,
        *BULK_POINTS,
        *MEDIA_POINTS,
        *ARRIVAL_POINTS,
        *SCHEDULE_POINTS,
        *REVIEW_POINTS,
    }
    assert {*API_POINTS, *COMPENSATION_POINTS, *OUTBOX_POINTS, *elsewhere} == nouns.failpoints()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_api_is_killed_at_every_point(world: World, seed: int) -> None:
    """Three orders at each point, of which one is declined: room for their code is left for three further ones."""
    codes = [world.promote(f"API-{seed}", totalLimit=3 * len(API_POINTS) + 3)] if seed % 2 else []
    doomed = {point: world.fleet.api(SOUK_FAILPOINTS=f"{point}=kill") for point in API_POINTS}
    sent: list[tuple[Purchase, str]] = []
    for point, child in doomed.items():
        tokens = ("pm_sandbox_ok", "pm_sandbox_ok", "pm_sandbox_timeout")
        first, second = itertools.islice(purchases(seed, f"api-{point}", world.products, tokens, codes), 2)
        declined = next(purchases(seed, f"declined-{point}", world.products, ("pm_sandbox_declined",), codes))
        sent += [(first, child.url), (from_cart(second, world.api.url), child.url), (declined, child.url)]
    answers = send_all(sent)
    for point, child in doomed.items():
        assert child.wait(60) == KILLED, point
    assert None in answers
    took = world.settle()
    print(
        f"R-P2 seed {seed}: API killed at {len(doomed)} points with {len(sent)} orders in flight, all finished"
        f" {took:.1f} s later"
    )
    finals = world.check([purchase for purchase, _ in sent], answers)
    placed = [final for final in finals if final.status_code == 201]
    assert len(placed) == 2 * len(API_POINTS)
    if codes:
        exhausted(world, f"API-{seed}", len(placed), 3 * len(API_POINTS) + 3)


def exhausted(world: World, code: str, living: int, limit: int) -> None:
    """As many as there is room for redeem the code now, and three more do not."""
    body = world.market.order_body((world.products[0], 1), couponCodes=[code])
    counted = rush([(world.api.url, body, f"{code}-{n}") for n in range(limit - living + 3)])
    assert counted == {(201, ""): limit - living, (409, "/problems/coupon-not-applied"): 3}
    assert redeemed(world.market, world.codes[code])[:2] == (limit, limit)
    world.sound()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_worker_is_killed_at_every_point(world: World, seed: int) -> None:
    """APIs that die leave the worker its work; an API whose gateway is away leaves it compensations."""
    points = [*DRIVING_POINTS, *COMPENSATION_POINTS, *OUTBOX_POINTS]
    abandoned = abandon(world, f"worker-{seed}", len(points) + 4, seed)
    for point in DRIVING_POINTS:
        worker = world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill")
        assert worker.wait(90) == KILLED, point
    world.sandbox.faults(unavailable=True)
    codes = [world.promote(f"UNDONE-{seed}", totalLimit=3)] if seed % 2 else []
    undone = list(itertools.islice(purchases(seed, f"undo-{seed}", world.products, ("pm_sandbox_ok",), codes), 3))
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


@pytest.mark.parametrize("seed", few(SEEDS, 1))
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


@pytest.mark.parametrize("point", few(["checkout.before_capture", "checkout.before_authorise"], 1))
def test_an_owner_that_slept_past_its_lease_changes_nothing(world: World, point: str) -> None:
    sleeper = world.fleet.api(SOUK_FAILPOINTS=f"{point}=sleep:0.5")
    purchase = next(purchases(1, f"pause-{point}", world.products, ("pm_sandbox_ok",)))
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(purchase.send, sleeper.url)
        wait_until(lambda: len(world.market.open_checkouts()) == 1, 20)
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
    assert {"R-I6-twice", "R-I6-payments"} <= {found.check for found in world.violations()}


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
