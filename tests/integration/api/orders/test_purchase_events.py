"""An order that the shop takes is a behaviour event of each of its products, within a second and once by its id."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from api import nouns
from api.events.stream import STREAM, session_key
from api.kernel import outbox
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from api.worker import RELAY, work
from tests.harness.buying import Market
from tests.harness.sessions import guest_session
from tests.harness.shop import Person

SECONDS = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    home: Path = tmp_path_factory.mktemp("purchases-context")
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        yield context


async def purchases(ctx: Context, order_id: str) -> list[dict[str, str]]:
    return [fields for _, fields in await ctx.redis.xrange(STREAM) if fields.get("orderId") == order_id]


async def test_an_order_is_in_the_stream_within_a_second(
    market: Market, context: Context, seller: Person, buyer: Person
) -> None:
    stop = asyncio.Event()
    working = asyncio.create_task(work(context, [RELAY], stop))
    try:
        order_id, _ = await asyncio.to_thread(market.place, buyer, seller, 3)
        answered = time.monotonic()
        while not (found := await purchases(context, order_id)):
            assert time.monotonic() - answered < SECONDS
            await asyncio.sleep(0.01)
    finally:
        stop.set()
        await working

    line = market.sql.execute(
        "select order_item_id::text, product_id::text from order_items where order_id = %s", (order_id,)
    ).fetchone()
    assert line is not None
    [entry] = found
    assert {name: entry[name] for name in entry if not name.endswith("At")} == {
        "eventId": line[0], "origin": "server", "type": "purchase", "productId": line[1], "quantity": "3",
        "userId": buyer.user_id, "orderId": order_id, "timeSource": "server",
    }  # fmt: skip
    assert entry["occurredAt"] <= entry["receivedAt"]


async def test_a_relay_that_died_before_its_mark_repeats_the_same_id(
    market: Market, context: Context, seller: Person, buyer: Person
) -> None:
    order_id, _ = await asyncio.to_thread(market.place, buyer, seller)
    await outbox.relay(context, nouns.followers(), (), nouns.doors())
    market.sql.execute("update outbox_events set published_at = null where aggregate_id = %s", (order_id,))

    await outbox.relay(context, nouns.followers(), (), nouns.doors())

    first, second = await purchases(context, order_id)
    assert first["eventId"] == second["eventId"]


async def test_a_guests_order_carries_the_key_of_the_session(market: Market, context: Context, seller: Person) -> None:
    session = guest_session()
    product = market.product(seller)
    placed = await asyncio.to_thread(
        market.buy, {"X-Session-Id": session}, market.order_body((product, 1), email="a@example.com")
    )
    assert placed.status_code == 201, placed.text

    await outbox.relay(context, nouns.followers(), (), nouns.doors())

    [entry] = await purchases(context, placed.json()["orderId"])
    assert entry["sessionKey"] == session_key(context.keys, session)
    assert session not in entry.values()


async def test_an_order_that_was_declined_is_no_purchase(
    market: Market, context: Context, seller: Person, buyer: Person
) -> None:
    product = market.product(seller)
    body = market.order_body((product, 1), token="pm_sandbox_declined")
    assert (await asyncio.to_thread(market.buy, buyer, body)).status_code == 402

    await outbox.relay(context, nouns.followers(), (), nouns.doors())

    sold = [fields["productId"] for _, fields in await context.redis.xrange(STREAM)]
    assert product["productId"] not in sold
