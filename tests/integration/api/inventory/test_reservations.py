"""How long units are held: ten minutes, longer while somebody goes on with the checkout, never longer than half an
hour, and by one clock only, that of Postgres (R-P20)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest

from api import nouns
from api.checkout.commands import complete_abandoned, place_order
from api.checkout.schemas import PlaceOrder
from api.inventory.commands import release_expired
from api.kernel import failpoints
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.failpoints import FailpointError
from api.kernel.idempotency import RequestInFlight, RequestKey
from api.kernel.settings import Settings
from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, wait_until
from tests.harness.fleet import Fleet
from tests.harness.mutants import MUTANTS
from tests.harness.sessions import guest_headers
from tests.harness.shop import Person

MINE = "checkout_id = (select checkout_id from checkouts where actor_key = %(actor)s)"


class Waiting:
    """A guest who orders two of five units; the process that serves the request ends before it asks the gateway."""

    def __init__(self, ctx: Context, market: Market, seller: Person) -> None:
        self.ctx, self.market = ctx, market
        self.product = market.product(seller, stock=5)
        self.actor = Actor("anonymous", session_id=f"session-{uuid4()}")
        self.key = RequestKey(self.actor.key, "waiting", "POST /api/v1/orders", b"x" * 32)
        self.body = PlaceOrder.model_validate(market.order_body((self.product, 2), email="guest@example.com"))

    async def begin(self) -> None:
        failpoints.arm("checkout.before_authorise=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await place_order(self.ctx, self.actor, self.key, self.body)

    async def ask_again(self) -> None:
        with pytest.raises(RequestInFlight):
            await place_order(self.ctx, self.actor, self.key, self.body)

    def pass_time(self, minutes: float) -> None:
        """So many minutes pass: what is written down lies further back."""
        self.market.sql.execute(
            "update inventory_reservations set expires_at = expires_at - %(gone)s * interval '1 minute',"
            f" created_at = created_at - %(gone)s * interval '1 minute' where {MINE}",
            {"gone": minutes, "actor": self.actor.key},
        )

    def end_lease(self) -> None:
        self.market.sql.execute(
            f"update checkouts set lease_expires_at = now() - interval '1 second' where {MINE}",
            {"actor": self.actor.key},
        )

    @property
    def minutes_left(self) -> float:
        left = f"select extract(epoch from expires_at - now()) / 60.0 from inventory_reservations where {MINE}"
        return round(float(self.market.scalar(left, {"actor": self.actor.key})), 1)

    def held(self) -> bool:
        """Whether the two units are held; if not, they can be sold."""
        status = self.market.scalar(
            f"select status from inventory_reservations where {MINE}", {"actor": self.actor.key}
        )
        assert self.market.stock_of(self.product) == {"active": (3, 2), "expired": (5, 0)}[status]
        return bool(status == "active")


@pytest.fixture
async def waiting(
    market: Market, seller: Person, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Waiting]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as ctx:
        guest = Waiting(ctx, market, seller)
        await guest.begin()
        assert (guest.minutes_left, guest.held()) == (10.0, True)
        yield guest
        guest.end_lease()
        await complete_abandoned(ctx)
    assert violations(market.database_url, [Gateway(market.sandbox.url, SANDBOX_KEY)]) == []


async def test_a_buyer_who_asks_again_keeps_the_units_up_to_half_an_hour(waiting: Waiting) -> None:
    seen = []
    for minutes in (4, 4, 8, 8, 5):
        waiting.pass_time(minutes)
        await waiting.ask_again()
        assert await release_expired(waiting.ctx) == 0
        seen.append(waiting.minutes_left)
    assert seen == [6.0, 10.0, 10.0, 6.0, 1.0], "more than half is left: nothing is written; 30 minutes: the limit"
    assert waiting.held()

    waiting.pass_time(1.1)
    await waiting.ask_again()
    assert waiting.minutes_left == -0.1, "what has expired stays so"
    assert await release_expired(waiting.ctx) == 1
    assert not waiting.held()
    await waiting.ask_again()
    assert not waiting.held()


async def test_of_a_buyer_who_is_gone_the_units_are_sold_after_ten_minutes(waiting: Waiting) -> None:
    """The negative control of activity: the same hours without it."""
    for minutes, left in ((8, 2.0), (2.1, -0.1)):
        waiting.pass_time(minutes)
        assert waiting.minutes_left == left
    assert await release_expired(waiting.ctx) == 1
    assert not waiting.held()


async def test_a_process_that_goes_on_with_the_checkout_keeps_them_too(waiting: Waiting) -> None:
    waiting.pass_time(8)
    waiting.end_lease()
    failpoints.arm("checkout.before_authorise=error", nouns.failpoints())
    with pytest.raises(FailpointError):
        await complete_abandoned(waiting.ctx)
    assert (waiting.minutes_left, waiting.held()) == (10.0, True)


async def test_a_reservation_that_is_being_confirmed_is_not_waited_for(waiting: Waiting, database_url: str) -> None:
    waiting.pass_time(8)
    with psycopg.connect(database_url) as other:
        other.execute(f"select 1 from inventory_reservations where {MINE} for update", {"actor": waiting.actor.key})
        await waiting.ask_again()
    assert waiting.minutes_left == 2.0


@pytest.fixture(params=["clock ahead", "clock behind"])
def wrong_clock(request: pytest.FixtureRequest) -> Iterator[str]:
    """This process runs with a clock that is minutes off."""
    MUTANTS[request.param]()
    try:
        yield request.param
    finally:
        patch.stopall()


async def test_a_process_with_a_wrong_clock_neither_frees_what_is_held_nor_keeps_what_expired(
    waiting: Waiting, wrong_clock: str
) -> None:
    assert await complete_abandoned(waiting.ctx) == 0, "its lease still runs"
    waiting.pass_time(8)
    await waiting.ask_again()
    assert waiting.minutes_left == 10.0, f"Postgres counts, not the {wrong_clock}"
    waiting.pass_time(9.9)
    assert await release_expired(waiting.ctx) == 0
    assert waiting.held()
    waiting.pass_time(0.2)
    assert await release_expired(waiting.ctx) == 1
    assert not waiting.held()


async def test_mutant_that_asks_its_own_clock_frees_what_is_held_or_keeps_what_expired(
    waiting: Waiting, wrong_clock: str
) -> None:
    MUTANTS["expiry by the process clock"]()
    waiting.pass_time(9 if wrong_clock == "clock ahead" else 12)
    assert await release_expired(waiting.ctx) == (1 if wrong_clock == "clock ahead" else 0)
    assert waiting.held() is (wrong_clock == "clock behind")


@pytest.mark.slow
async def test_processes_whose_clocks_differ_by_ten_minutes_sell_and_expire_alike(
    waiting: Waiting, server: Server, sandbox: Sandbox, tmp_path: Path
) -> None:
    """An API process five minutes ahead and workers ahead and behind: orders are completed, a living reservation is
    kept over several rounds of expiry, a dead one is freed."""
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet(tmp_path, server.env))
        api = fleet.api(mutant="clock ahead")
        for off in ("clock ahead", "clock behind"):
            fleet.worker(mutant=off)
        there = Market(api, waiting.market.database_url, sandbox)
        stack.callback(there.close)
        home = waiting.market
        sold = home.product(home.person("seller"), stock=6)
        answers = [
            there.buy(guest_headers(f"skew-{n}"), there.order_body((sold, 1), email="guest@example.com"))
            for n in range(8)
        ]
        assert [answer.status_code for answer in answers] == [201] * 6 + [409] * 2
        other = Waiting(waiting.ctx, home, home.person("seller"))
        await other.begin()
        other.market.sql.execute(
            f"update checkouts set lease_expires_at = now() + interval '1 hour' where {MINE}",
            {"actor": other.actor.key},
        )
        waiting.pass_time(10.1)
        wait_until(lambda: not waiting.held(), 30)
        other.pass_time(9)
        rounds = other.market.scalar("select now()")
        wait_until(lambda: bool(other.market.scalar("select now() - %s > interval '11 seconds'", (rounds,))), 30)
        assert other.held()
        other.end_lease()
        other.market.wait_until_settled()
