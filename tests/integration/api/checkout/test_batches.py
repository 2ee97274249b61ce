"""Checkouts that come together share their commits: who gets the last units, who is refused, and what a mistake of one
means for the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import Response

from api.catalog.purchase import Wanted
from api.checkout.commands import complete_abandoned, place_order
from api.checkout.quote import make_plan, read_quote
from api.checkout.saga.commits import Passed, Step, commit, open_checkout
from api.checkout.saga.lease import LeasedCheckout
from api.checkout.saga.steps import Done, Opening, TaskOutcome
from api.checkout.saga.transitions import Outcome, step
from api.checkout.schemas import PlaceOrder, SavedAddress
from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from api.kernel.statement import OPEN_GATE, compose
from api.operations.invariants.run import violations
from tests.harness.api import Server, running_api
from tests.harness.buying import Market, Sandbox, buying_env
from tests.harness.mutants import UNGUARDED_CONSTRAINTS, each_claim_alone
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Person
from tests.harness.wire import watched_wire

EVERYBODY = 24


class Desk:
    """Buyers of one product in this process."""

    def __init__(self, ctx: Context, market: Market, product: dict[str, Any]) -> None:
        self.ctx, self.market, self.product = ctx, market, product

    def request(self, units: int, product: dict[str, Any] | None = None) -> PlaceOrder:
        body = self.market.order_body((product or self.product, units), email="guest@example.com")
        return PlaceOrder.model_validate(body)

    def key(self, name: str = "") -> RequestKey:
        actor = f"session:{uuid4()}"
        return RequestKey(actor, name or uuid4().hex, "POST /api/v1/orders", uuid4().bytes * 2)

    async def buy(self, units: int = 1, product: dict[str, Any] | None = None) -> Response:
        key = self.key()
        actor = Actor("anonymous", session_id=key.actor_key.removeprefix("session:"))
        return await place_order(self.ctx, actor, key, self.request(units, product))

    async def planned(self, units: int, *, stock_seen: int | None = None) -> Opening:
        """A checkout that has read the stock, or believes that it is `stock_seen`, and has not taken any."""
        key = self.key()
        actor = Actor("anonymous", session_id=key.actor_key.removeprefix("session:"))
        request = self.request(units)
        quote = await read_quote(self.ctx, actor, key, request)
        if stock_seen is not None:
            offers = {
                variant: replace(offer, sold_as=with_stock(offer.sold_as, stock_seen))
                for variant, offer in quote.offers.items()
            }
            quote = replace(quote, offers=offers)
        plan = make_plan(self.ctx.settings, actor, request, quote)
        checkout = LeasedCheckout(uuid4(), uuid4(), "created", actor, key.key, request, plan, age=0.0, attempts=1)
        return Opening(checkout, key)

    async def submit(self, openings: list[Opening]) -> list[Passed | BaseException]:
        """All at once, in this order: the first starts alone, the others share the next statement."""
        return await asyncio.gather(*(open_checkout(self.ctx, opening) for opening in openings), return_exceptions=True)

    def abandon(self) -> None:
        self.market.sql.execute("update checkouts set lease_expires_at = now() - interval '1 second'")


@asynccontextmanager
async def desk(market: Market, server: Server, seller: Person, units: int, **env: str) -> AsyncIterator[Desk]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.env, **env}.items():
            patch.setenv(name, value)
        settings = Settings()
    async with open_context(settings) as ctx:
        yield Desk(ctx, market, market.product(seller, stock=units, price=10.0))


@pytest.mark.parametrize("isolation", ["SERIALIZABLE", "READ COMMITTED"])
async def test_many_who_want_one_variant_share_their_commits(
    market: Market, server: Server, seller: Person, isolation: str
) -> None:
    async with desk(market, server, seller, 9, SOUK_CHECKOUT_ISOLATION=isolation) as shop:
        with watched_wire() as wire:
            answers = await asyncio.gather(*(shop.buy() for _ in range(EVERYBODY)))
        assert Counter(answer.status_code for answer in answers) == {201: 9, 409: EVERYBODY - 9}
        assert market.stock_of(shop.product) == (0, 0)
        seen = wire.statements
        orders = [sql for sql in seen if "INSERT INTO orders" in sql]
        print(f"{EVERYBODY} buyers of 9 units: {len(orders)} statements that take stock, {len(seen)} in all")
        assert len(orders) <= 8, "one by one they would be at least 9 and at most 24"


async def test_requests_that_are_read_together_each_get_what_they_get_alone(
    market: Market, server: Server, seller: Person
) -> None:
    async with desk(market, server, seller, 9) as shop:
        unknown = {**shop.product, "variants": [{**shop.product["variants"][0], "variantId": str(uuid4())}]}
        other = market.product(seller, stock=4)
        known = shop.key()
        actor = Actor("anonymous", session_id=known.actor_key.removeprefix("session:"))
        assert (await place_order(shop.ctx, actor, known, shop.request(1))).status_code == 201
        buyer, address = Actor("customer", UUID(market.person().user_id)), uuid4()
        market.sql.execute(
            "insert into addresses (address_id, user_id, street, city, state, zip_code, country)"
            " values (%s, %s, '1 Long Street', 'Leeds', 'Yorkshire', 'LS1', 'GB')",
            (address, buyer.user_id),
        )
        sent = shop.request(2).model_copy(update={"shipping_address": SavedAddress(address_id=address)})
        asked = [
            (actor, shop.key(), shop.request(1)),
            (actor, known, shop.request(1)),
            (actor, shop.key(), shop.request(1, unknown)),
            (buyer, shop.key(), sent),
            (actor, shop.key(), sent),
            (actor, shop.key(), shop.request(3, other)),
        ]
        alone = [await read_quote(shop.ctx, *one) for one in asked]
        with watched_wire() as wire:
            together = await asyncio.gather(*(read_quote(shop.ctx, *one) for one in asked))
        assert len(wire.statements) == 1
        assert together == alone
        assert [quote.saved_address and quote.saved_address["city"] for quote in together] == [
            *(None, None, None),
            "Leeds",
            *(None, None),
        ]
        assert [quote.kept is not None for quote in together] == [False, True, False, False, False, False]
        assert [len(quote.offers) for quote in together] == [1, 1, 0, 1, 1, 1]


async def test_the_first_in_the_queue_are_served_first_and_who_wants_too_much_takes_nothing_from_the_others(
    market: Market, server: Server, seller: Person
) -> None:
    async with desk(market, server, seller, 6) as shop:
        wanted = [await shop.planned(units, stock_seen=99) for units in (1, 3, 9, 2, 1)]
        passed = await shop.submit(wanted)
        assert passed == [Passed.MOVED, Passed.MOVED, Passed.SHORT, Passed.MOVED, Passed.SHORT]
        assert market.stock_of(shop.product) == (0, 6)
        shop.abandon()
        assert await complete_abandoned(shop.ctx) == 3
        assert market.stock_of(shop.product) == (0, 0)


async def test_of_two_requests_with_one_key_in_one_batch_the_first_has_it(
    market: Market, server: Server, seller: Person
) -> None:
    async with desk(market, server, seller, 9) as shop:
        alone, first, second = [await shop.planned(1) for _ in range(3)]
        same = replace(second, key=first.key, checkout=replace(second.checkout, actor=first.checkout.actor))
        assert await shop.submit([alone, first, same]) == [Passed.MOVED, Passed.MOVED, Passed.TAKEN]
        assert await shop.submit([same]) == [Passed.TAKEN]
        assert market.stock_of(shop.product) == (7, 2)
        shop.abandon()
        assert await complete_abandoned(shop.ctx) == 2


async def test_a_checkout_that_the_database_refuses_fails_alone(market: Market, server: Server, seller: Person) -> None:
    async with desk(market, server, seller, 9) as shop:
        alone, good, twice, other = [await shop.planned(1) for _ in range(4)]
        plan = twice.checkout.settled_plan.model_copy(update={"order_number": alone.checkout.settled_plan.order_number})
        twice = replace(twice, checkout=replace(twice.checkout, plan=plan))
        passed = await shop.submit([alone, good, twice, other])
        assert [passed[n] for n in (0, 1, 3)] == [Passed.MOVED] * 3
        assert isinstance(passed[2], psycopg.IntegrityError)
        assert market.stock_of(shop.product) == (6, 3)
        shop.abandon()
        assert await complete_abandoned(shop.ctx) == 3


async def test_a_locked_variant_holds_up_only_those_who_want_it(market: Market, server: Server, seller: Person) -> None:
    async with desk(market, server, seller, 9) as shop:
        other = market.product(seller, stock=9)
        with market.sql.transaction():
            variant = shop.product["variants"][0]["variantId"]
            market.sql.execute("select 1 from product_variants where variant_id = %s for no key update", (variant,))
            waiting = [asyncio.create_task(shop.buy()) for _ in range(2)]
            await asyncio.sleep(0.1)
            answers = await asyncio.gather(*(shop.buy(product=other) for _ in range(3)))
            assert [answer.status_code for answer in answers] == [201] * 3
            assert not any(task.done() for task in waiting)
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [201, 201]
        assert market.stock_of(shop.product) == (7, 0)


async def test_of_a_batch_only_the_owners_of_their_leases_move(market: Market, server: Server, seller: Person) -> None:
    async with desk(market, server, seller, 9) as shop:
        openings = [await shop.planned(1) for _ in range(4)]
        assert await shop.submit(openings) == [Passed.MOVED] * 4
        lost = openings[2].checkout.checkout_id
        market.sql.execute("update checkouts set lease_token = gen_random_uuid() where checkout_id = %s", (lost,))
        gone = openings[3].checkout.checkout_id
        market.sql.execute("update inventory_reservations set expires_at = now() where checkout_id = %s", (gone,))
        await shop.ctx.db.once(*compose([OPEN_GATE, stock.release_due(10)], stock.RELEASED))
        move = step("created", Outcome.AUTHORISED)
        found = TaskOutcome(Outcome.AUTHORISED, reference="ref")
        steps = [Step(shop.ctx, Done(opening.checkout, found), move, 30) for opening in openings]
        done = await asyncio.gather(*(commit(step) for step in steps))
        assert [each.passed for each in done] == [Passed.MOVED, Passed.MOVED, Passed.TAKEN, Passed.SHORT]
        points = "select recovery_point from checkouts where checkout_id = %s"
        assert [market.scalar(points, (opening.checkout.checkout_id,)) for opening in openings] == [
            "confirmed",
            "confirmed",
            "created",
            "created",
        ]
        shop.abandon()
        # Two are captured in vain and cancelled, for the gateway never heard of them; one is bought, one is given up.
        assert await complete_abandoned(shop.ctx) == 4
        assert market.stock_of(shop.product) == (8, 0)


@pytest.fixture
def unguarded(
    postgres_server: PostgresHarness, redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[tuple[Market, Server]]:
    """A shop without the constraints of the tables, so that the statement itself is judged."""
    name = postgres_server.fresh_database()
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as sql:
        for statement in UNGUARDED_CONSTRAINTS:
            sql.execute(statement)
    with running_api(tmp_path, url, redis_url, **buying_env(sandbox)) as own:
        market = Market(own, url, sandbox)
        yield market, own
        market.close()
    postgres_server.drop_database(name)


@pytest.mark.parametrize("mutant", [False, True], ids=["the product", "mutant that checks each claim alone"])
async def test_a_batch_never_sells_more_than_there_is(
    unguarded: tuple[Market, Server], monkeypatch: pytest.MonkeyPatch, mutant: bool
) -> None:
    market, server = unguarded
    async with desk(market, server, market.person("seller"), 3) as shop:
        if mutant:
            for text in ("HOLD_CHECK", "MOVE_STOCK"):
                monkeypatch.setattr(stock, text, getattr(stock, text))
            each_claim_alone()
        passed = await shop.submit([await shop.planned(1, stock_seen=9) for _ in range(6)])
        assert passed.count(Passed.MOVED) == (6 if mutant else 3)
        assert market.stock_of(shop.product).available == (-3 if mutant else 0)
        assert {violation.check for violation in violations(market.database_url)} == (
            {"R-I31-owed"} if mutant else set()
        )


def with_stock(wanted: Wanted, units: int) -> Wanted:
    """The same with so many units in its warehouse."""
    return wanted._replace(levels=[wanted.levels[0]._replace(available=units)])
