"""A checkout that an earlier version of the shop left at a point which nothing enters any more is finished: the buyer
gets one answer, and every invariant holds."""

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from api import nouns
from api.checkout.commands import complete_abandoned, place_order
from api.checkout.saga.transitions import OLD_POINTS
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
from tests.harness.buying import SANDBOX_KEY, Market
from tests.harness.outbox import remove_events
from tests.harness.shop import Person

# What an earlier version had committed at its points is what today's has at a failpoint, but for these changes.
BEGIN = """
    with key as (
        insert into idempotency_keys (actor_key, key, route, request_hash, status, locked_until)
        values (%(key_actor)s, %(key_key)s, %(key_route)s, %(key_hash)s, 'in_progress', now() + interval '1 minute'))
    insert into checkouts (checkout_id, actor_key, session_id, idempotency_key, recovery_point, request, lease_token,
                           lease_expires_at)
    values (gen_random_uuid(), %(key_actor)s, %(session)s, %(key_key)s, 'started', %(request)s, gen_random_uuid(),
            now() - interval '1 second')"""
LEAVE_RESERVED = """
    with gone as (select order_id from checkouts where checkout_id = %(checkout)s),
    payment as (delete from payments where order_id in (select order_id from gone)),
    point as (update checkouts set recovery_point = 'reserved' where checkout_id = %(checkout)s)
    delete from orders where order_id in (select order_id from gone)"""
EVENTS_OF = "aggregate_id = (select order_id from checkouts where checkout_id = %(checkout)s)"
LEAVE_AUTHORISED = """
    with point as (update checkouts set recovery_point = 'authorised' where checkout_id = %(checkout)s)
    update payments set status = 'authorised', gateway_reference = 'known' where checkout_id = %(checkout)s"""
LEAVE_CAPTURED = """
    with point as (update checkouts set recovery_point = 'captured' where checkout_id = %(checkout)s)
    update idempotency_keys set status = 'in_progress', response_status = null, response_headers = null,
           response_body = null, locked_until = now() + interval '1 minute'
    where (actor_key, key) in (select actor_key, idempotency_key from checkouts where checkout_id = %(checkout)s)"""


class Buyer:
    """A guest who orders two of five units with one key."""

    def __init__(self, ctx: Context, market: Market, seller: Person) -> None:
        self.ctx, self.market = ctx, market
        self.product = market.product(seller, stock=5)
        self.actor = Actor("anonymous", session_id=f"session-{uuid4()}")
        self.key = RequestKey(self.actor.key, "old", "POST /api/v1/orders", b"x" * 32)
        self.body = market.order_body((self.product, 2), email="guest@example.com")

    async def ask(self) -> tuple[int, bytes, bool]:
        """(status, body, whether it is a replay)."""
        answer = await place_order(self.ctx, self.actor, self.key, PlaceOrder.model_validate(self.body))
        return answer.status_code, bytes(answer.body), "idempotent-replayed" in answer.headers

    async def die_at(self, point: str) -> None:
        failpoints.arm(f"{point}=error", nouns.failpoints())
        with pytest.raises(FailpointError):
            await self.ask()

    def leave(self, change: str) -> None:
        """The last process has ended after `change`."""
        sql = self.market.sql
        checkout = self.market.scalar("select checkout_id from checkouts where actor_key = %s", (self.actor.key,))
        with sql.transaction():
            if change is LEAVE_RESERVED:
                remove_events(sql, EVENTS_OF, {"checkout": checkout})
            sql.execute(change, {"checkout": checkout})
            sql.execute("update checkouts set lease_expires_at = now() - interval '1 second'")

    def begin(self) -> None:
        """The first statement of an earlier version: the key and the checkout, without a plan."""
        request = Jsonb({"actorKind": "anonymous", **self.body})
        self.market.sql.execute(BEGIN, {**self.key.values, "session": self.actor.session_id, "request": request})

    def point(self) -> str:
        """Where its checkout is."""
        return str(self.market.scalar("select recovery_point from checkouts where actor_key = %s", (self.actor.key,)))

    def calls(self) -> list[str]:
        """What the gateway recorded."""
        key = self.market.scalar(
            "select 'checkout-' || checkout_id from checkouts where actor_key = %s", (self.actor.key,)
        )
        return [entry["kind"] for entry in self.market.sandbox.ledger() if key in {entry["key"], entry["parentKey"]}]


@pytest.fixture
async def guest(
    market: Market, seller: Person, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Buyer]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    async with open_context(Settings()) as ctx:
        yield Buyer(ctx, market, seller)
        assert await complete_abandoned(ctx) == 0
    assert violations(market.database_url, [Gateway(market.sandbox.url, SANDBOX_KEY)]) == []


async def test_one_that_had_only_started_is_given_up_and_may_be_sent_again(guest: Buyer) -> None:
    guest.begin()
    with pytest.raises(RequestInFlight):
        await guest.ask()
    assert await complete_abandoned(guest.ctx) == 1
    assert (guest.point(), guest.market.stock_of(guest.product), guest.calls()) == ("failed", (5, 0), [])
    status, _, replayed = await guest.ask()
    assert (status, replayed) == (201, False)


async def test_one_that_held_stock_lets_it_go_and_may_be_sent_again(guest: Buyer) -> None:
    await guest.die_at("checkout.after_create")
    guest.leave(LEAVE_RESERVED)
    assert guest.market.stock_of(guest.product) == (3, 2)
    assert await complete_abandoned(guest.ctx) == 1
    assert (guest.point(), guest.market.stock_of(guest.product), guest.calls()) == ("failed", (5, 0), [])
    status, _, replayed = await guest.ask()
    assert (status, replayed) == (201, False)


async def test_one_with_an_authorised_payment_is_confirmed_and_captured(guest: Buyer) -> None:
    await guest.die_at("checkout.after_authorise")
    guest.leave(LEAVE_AUTHORISED)
    assert await complete_abandoned(guest.ctx) == 1
    assert (guest.point(), guest.market.stock_of(guest.product)) == ("completed", (3, 0))
    assert guest.calls() == ["authorisation", "capture"]
    status, _, replayed = await guest.ask()
    assert (status, replayed) == (201, True)


async def test_one_with_an_authorised_payment_whose_reservation_ran_out_is_voided(guest: Buyer) -> None:
    await guest.die_at("checkout.after_authorise")
    guest.leave(LEAVE_AUTHORISED)
    guest.market.sql.execute("update inventory_reservations set expires_at = now() - interval '1 second'")
    await release_expired(guest.ctx)
    assert await complete_abandoned(guest.ctx) == 1
    assert (guest.point(), guest.market.stock_of(guest.product)) == ("failed", (5, 0))
    assert guest.calls() == ["authorisation", "void"]
    status, _, replayed = await guest.ask()
    assert (status, replayed) == (409, True)


async def test_one_that_was_captured_gets_its_answer(guest: Buyer) -> None:
    first = await guest.ask()
    guest.leave(LEAVE_CAPTURED)
    with pytest.raises(RequestInFlight):
        await guest.ask()
    assert await complete_abandoned(guest.ctx) == 1
    assert (guest.point(), guest.market.stock_of(guest.product)) == ("completed", (3, 0))
    assert guest.calls() == ["authorisation", "capture"]
    assert await guest.ask() == (201, first[1], True)


def test_every_old_point_is_left_here_and_the_database_still_takes_it(market: Market) -> None:
    for point in OLD_POINTS:
        with market.sql.transaction(force_rollback=True):
            market.sql.execute("update checkouts set recovery_point = %s", (point,))
    with pytest.raises(psycopg.errors.CheckViolation), market.sql.transaction():
        market.sql.execute("update checkouts set recovery_point = 'elsewhere'")
