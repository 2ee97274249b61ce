"""Additions that come at the same time: they share commits, and none passes a limit or takes another's answer.

Two contexts stand for two processes of the API. Where a test says what another process did in between, a transaction of
the test does it and is held open.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.carts import commands
from api.carts.additions import BATCH, MAX_LINES
from api.carts.errors import CartFull, QuantityTooLarge
from api.carts.queries import StoredCart, cart_of
from api.carts.schemas import MAX_QUANTITY, AddItem
from api.carts.statements import ADDED as ADDED_ROWS
from api.carts.statements import Addition, add_part, asked_part
from api.catalog.errors import VariantNotFound
from api.catalog.statements import on_sale_part
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.kernel.statement import compose
from tests.harness.postgres import PostgresHarness
from tests.harness.shop import Shop
from tests.harness.wire import rewritten_wire, watched_wire

TUPLES_READ = text(
    "select sum(seq_tup_read + idx_tup_fetch)::int from pg_stat_xact_user_tables"
    " where relname in ('carts', 'cart_items')"
)
ADDED = "insert into cart_items (cart_item_id, cart_id, product_id, variant_id, quantity, price_at_addition)"


@pytest.fixture
async def ctx(database_url: str, redis_url: str) -> AsyncIterator[Context]:
    settings = Settings.model_validate({"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    async with open_context(settings) as context:
        yield context


@pytest.fixture
async def other(ctx: Context) -> AsyncIterator[Context]:
    async with open_context(ctx.settings) as context:
        yield context


@pytest.fixture(scope="module")
def goods(shop: Shop) -> list[dict[str, Any]]:
    seller = shop.person("seller")
    return [shop.product(seller, price=float(10 + n)) for n in range(3)]


@pytest.fixture
def another_process(database_url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database_url)


def guest() -> Actor:
    return Actor(kind="anonymous", session_id=f"guest-{uuid4().hex}")


def units(product: dict[str, Any], quantity: int = 1) -> AddItem:
    variant = product["variants"][0]["variantId"]
    return AddItem(product_id=UUID(product["productId"]), variant_id=UUID(variant), quantity=quantity)


def held(cart: StoredCart) -> list[tuple[UUID, int]]:
    return [(line.variant_id, line.quantity) for line in cart.lines]


def fill(shop: Shop, actor: Actor, product: dict[str, Any], lines: int) -> None:
    """That many lines for the actor's cart, each of a variant of its own."""
    shop.sql.execute(
        "with kinds as (insert into product_variants (variant_id, product_id, sku, attributes, price)"
        "   select gen_random_uuid(), %(product)s, gen_random_uuid()::text, '{}', 1 from generate_series(1, %(lines)s)"
        "   returning variant_id),"
        " made as (insert into carts (cart_id, session_id, expires_at)"
        "   values (gen_random_uuid(), %(session)s, now() + interval '1 day') returning cart_id) "
        + ADDED
        + " select gen_random_uuid(), cart_id, %(product)s, variant_id, 1, 1 from kinds, made",
        {"product": product["productId"], "lines": lines, "session": actor.session_id},
    )


async def outcomes(*additions: Any) -> list[Any]:
    return list(await asyncio.gather(*additions, return_exceptions=True))


async def test_those_that_come_together_share_a_round_trip_and_a_commit(ctx: Context, goods: list[Any]) -> None:
    people = [guest() for _ in range(1 + BATCH)]
    with watched_wire() as wire:
        answers = await asyncio.gather(
            *(commands.add_item(ctx, one, units(goods[n % 3], n + 1)) for n, one in enumerate(people))
        )

    # They come together, one more than a statement takes.
    assert len(wire.trips) == 2
    assert [held(cart) for _, cart in answers] == [
        [(units(goods[n % 3]).variant_id, n + 1)] for n in range(len(people))
    ]
    assert len({cart.cart_id for _, cart in answers}) == len(people)
    assert [item for item, _ in answers] == [cart.lines[0].cart_item_id for _, cart in answers]


async def test_a_refused_addition_changes_nothing_and_holds_up_nobody(
    ctx: Context, shop: Shop, goods: list[Any]
) -> None:
    unknown, full, at_limit, mine = (guest() for _ in range(4))
    fill(shop, full, goods[0], MAX_LINES)
    await commands.add_item(ctx, at_limit, units(goods[0], 999))
    stored = "select session_id, version, expires_at, updated_at from carts where session_id = any(%s) order by 1"
    refused = [[str(one.session_id) for one in (unknown, full, at_limit)]]
    before = shop.sql.execute(stored, refused).fetchall()
    withdrawn = units(goods[0]).model_copy(update={"variant_id": uuid4()})

    with watched_wire() as wire:
        answers = await outcomes(
            commands.add_item(ctx, unknown, withdrawn),
            commands.add_item(ctx, full, units(goods[1])),
            commands.add_item(ctx, at_limit, units(goods[0])),
            commands.add_item(ctx, mine, units(goods[1], 2)),
        )

    assert [type(answer) for answer in answers] == [VariantNotFound, CartFull, QuantityTooLarge, tuple]
    assert held(answers[-1][1]) == [(units(goods[1]).variant_id, 2)]
    assert len(wire.trips) == 1
    assert shop.sql.execute(stored, refused).fetchall() == before
    assert len(before) == 2
    # More of what is there already is no further line.
    variant = shop.scalar(
        "select variant_id from cart_items join carts using (cart_id) where session_id = %s limit 1", (full.session_id,)
    )
    _, cart = await commands.add_item(ctx, full, units(goods[0]).model_copy(update={"variant_id": variant}))
    assert sorted(quantity for _, quantity in held(cart)) == [1] * (MAX_LINES - 1) + [2]


async def test_additions_to_one_cart_keep_their_order(ctx: Context, goods: list[Any]) -> None:
    """Each in a statement of its own: Postgres refuses one that changes a row twice."""
    one = guest()

    with watched_wire() as wire:
        answers = await asyncio.gather(*(commands.add_item(ctx, one, units(goods[0], n)) for n in (1, 2, 3)))

    assert len(wire.trips) == 3
    assert [held(cart)[0][1] for _, cart in answers] == [1, 3, 6]
    assert [cart.version for _, cart in answers] == [1, 2, 3]


async def test_two_processes_add_to_the_same_carts(ctx: Context, other: Context, goods: list[Any]) -> None:
    people = [guest() for _ in range(8)]
    asked = [(context, one) for n in range(4) for one in people[:: (-1) ** n] for context in (ctx, other)]

    answers = await outcomes(*(commands.add_item(context, one, units(goods[0])) for context, one in asked))

    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    async with ctx.db.read() as tx:
        carts = [await cart_of(tx, one) for one in people]
    assert [held(cart)[0][1] for cart in carts if cart] == [8] * len(people)


@pytest.mark.parametrize("locks", [True, False])
async def test_the_limit_of_lines_holds_against_another_process(
    ctx: Context, shop: Shop, goods: list[Any], another_process: psycopg.Connection[Any], *, locks: bool
) -> None:
    """Control: without the lock it judges by what it saw before the other's commit."""
    one = guest()
    fill(shop, one, goods[0], MAX_LINES - 1)

    with another_process, nullcontext() if locks else rewritten_wire(" FOR NO KEY UPDATE$", ""):
        cart = another_process.execute(
            "update carts set version = version + 1 where session_id = %s returning cart_id", (one.session_id,)
        ).fetchone()
        assert cart is not None
        row = (uuid4(), cart[0], units(goods[1]).product_id, units(goods[1]).variant_id)
        another_process.execute(f"{ADDED} values (%s, %s, %s, %s, 1, 1)", row)
        addition = asyncio.create_task(commands.add_item(ctx, one, units(goods[2])))
        await waits_for_a_lock(shop)
        another_process.commit()
        (answer,) = await outcomes(addition)

    count = shop.scalar(
        "select count(*) from cart_items join carts using (cart_id) where session_id = %s", (one.session_id,)
    )
    assert (type(answer), count) == ((CartFull, MAX_LINES) if locks else (tuple, MAX_LINES + 1))


async def test_a_cart_that_another_process_makes_meanwhile_is_used(
    ctx: Context, shop: Shop, goods: list[Any], another_process: psycopg.Connection[Any]
) -> None:
    one, bystander = guest(), guest()
    made = uuid4()
    with another_process:
        another_process.execute(
            "insert into carts (cart_id, session_id, expires_at) values (%s, %s, now() + interval '1 day')",
            (made, one.session_id),
        )
        await commands.add_item(ctx, guest(), units(goods[0]))
        additions = [
            asyncio.create_task(commands.add_item(ctx, who, units(goods[0], 2))) for who in (guest(), one, bystander)
        ]
        await waits_for_a_lock(shop)
        another_process.commit()
        answers = await asyncio.gather(*additions)

    assert answers[1][1].cart_id == made
    assert [held(cart) for _, cart in answers] == [[(units(goods[0]).variant_id, 2)]] * 3


async def test_a_cart_lives_its_whole_time_after_an_addition(ctx: Context, shop: Shop, goods: list[Any]) -> None:
    """Rounded up to the hour, so that the next addition leaves the time, and the indexes of the cart, as they are."""
    one = guest()
    for _ in range(2):
        await commands.add_item(ctx, one, units(goods[0]))

    lives = "select extract(epoch from expires_at - updated_at)::int from carts where session_id = %s"
    assert 0 <= shop.scalar(lives, (one.session_id,)) - ctx.settings.guest_cart_ttl_seconds <= 3600


async def test_a_members_cart_is_not_that_of_the_session_they_send(ctx: Context, shop: Shop, goods: list[Any]) -> None:
    visitor = guest()
    member = Actor(kind="customer", user_id=UUID(shop.person().user_id), session_id=visitor.session_id)

    await commands.add_item(ctx, guest(), units(goods[0]))
    answers = await asyncio.gather(
        commands.add_item(ctx, member, units(goods[0], 3)), commands.add_item(ctx, visitor, units(goods[1]))
    )

    assert [held(cart) for _, cart in answers] == [[(units(goods[0]).variant_id, 3)], [(units(goods[1]).variant_id, 1)]]


@pytest.mark.parametrize("writer", [True, False])
async def test_a_plan_that_is_kept_from_an_empty_shop_looks_carts_up(
    postgres_server: PostgresHarness, redis_url: str, *, writer: bool
) -> None:
    """Control: a connection for reading, which plans by the size that a table has, reads the whole of an empty one."""
    name = postgres_server.fresh_database()
    settings = Settings.model_validate(
        {"DATABASE_URL": postgres_server.url(name), "REDIS_URL": redis_url, "SOUK_PROFILE": "test"}
    )
    with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
        connection.execute("vacuum analyze carts")
    async with open_context(settings) as ctx, ctx.db.autocommit() if writer else ctx.db.read() as tx:
        plan = await tx.all(text("explain select cart_id from carts where session_id = 'one'"))
    postgres_server.drop_database(name)

    assert any("Seq Scan" in line for (line,) in plan) is not writer


JOINED = """c.cart_id, a.place FROM unnest(CAST(:sessions AS text[])) WITH ORDINALITY AS a(session_id, place)
    LEFT JOIN carts c ON c.session_id = a.session_id"""


@pytest.mark.parametrize("joined", [False, True])
async def test_an_addition_reads_no_more_when_there_are_more_carts(
    postgres_server: PostgresHarness, redis_url: str, *, joined: bool
) -> None:
    """Its plan is from when there were none. Control: a join of the same kept plan reads every cart."""
    name = postgres_server.fresh_database()
    url = postgres_server.url(name)
    settings = Settings.model_validate({"DATABASE_URL": url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze carts, cart_items")
        async with open_context(settings) as ctx:
            for carts in (0, 500):
                connection.execute(
                    "insert into carts (cart_id, session_id, expires_at)"
                    " select gen_random_uuid(), 'other-' || n, now() + interval '1 day' from generate_series(1, %s) n",
                    [carts],
                )
                additions = [Addition(guest(), 60, uuid4(), uuid4(), 1) for _ in range(6)]
                parts = [asked_part(additions), on_sale_part(), add_part(MAX_QUANTITY, MAX_LINES)]
                statement, values = compose(parts, ADDED_ROWS)
                if joined:
                    sessions = [addition.actor.session_id for addition in additions]
                    statement, values = text(f"SELECT {JOINED}"), {"sessions": sessions}
                async with ctx.db.transaction() as tx:
                    await tx.all(statement, values)
                    read = await tx.scalar(TUPLES_READ)
    postgres_server.drop_database(name)

    assert (read == 500) is joined
    assert (read == 0) is not joined


async def waits_for_a_lock(shop: Shop) -> None:
    for _ in range(200):
        if shop.scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ):
            return
        await asyncio.sleep(0.01)
    pytest.fail("nothing waits for a lock")
