"""Behaviour events over HTTP: into the stream, through the spool while Redis is gone, into view counts exactly once."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import redis

from api.catalog.jobs import count_views
from api.events import commands, spool
from api.events.commands import EventSink
from api.events.jobs import drain_spool, trim_stream
from api.events.schemas import BehaviourEvent
from api.events.stream import LANDED, STREAM, publish
from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.api import running_api
from tests.harness.redis import RedisHarness
from tests.harness.sessions import guest_session
from tests.harness.shop import Shop, problem

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisHarness]:
    """A Redis that this module may kill."""
    server = RedisHarness(tmp_path_factory.mktemp("own-redis"), durable=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events-home")


@pytest.fixture(scope="module")
def shop(own_redis: RedisHarness, database_url: str, home: Path) -> Iterator[Shop]:
    with running_api(home, database_url, own_redis.url) as server:
        shop = Shop(server, database_url)
        yield shop
        shop.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context(own_redis: RedisHarness, database_url: str, home: Path) -> AsyncIterator[Context]:
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": own_redis.url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    )
    async with open_context(settings) as context:
        yield context


def _send(shop: Shop, *events: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
    return shop.client.post("/api/v1/events", json={"events": list(events)}, headers=BROWSER | (headers or {}))


def _stream(server: RedisHarness) -> list[dict[str, str]]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return [fields for _, fields in client.xrange(STREAM)]


def test_an_event_reaches_the_stream_whole_and_without_the_session_itself(shop: Shop, own_redis: RedisHarness) -> None:
    person, session, product = shop.person(), guest_session(), str(uuid4())
    event = {
        "type": "addToCart", "eventId": str(uuid4()), "productId": product, "occurredAt": "2026-01-02T03:04:05Z",
        "source": "search",
        "campaign": "spring", "position": 3, "quantity": 2,
    }  # fmt: skip

    answer = _send(shop, event, headers={**person.headers, "X-Session-Id": session})

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    entry = _stream(own_redis)[-1]
    assert entry.keys() == {
        "eventId", "type", "productId", "userId", "sessionKey", "source", "campaign", "position", "quantity",
        "occurredAt", "receivedAt",
    }  # fmt: skip
    assert (entry["eventId"], entry["type"], entry["productId"], entry["userId"]) == (
        event["eventId"],
        "addToCart",
        product,
        person.user_id,
    )
    assert (entry["occurredAt"], entry["position"], entry["quantity"]) == ("2026-01-02T03:04:05+00:00", "3", "2")
    assert session not in json.dumps(entry)


def test_the_clock_of_a_client_cannot_run_ahead(shop: Shop, own_redis: RedisHarness) -> None:
    _send(shop, {"type": "search", "query": "lamp", "occurredAt": "2999-01-01T00:00:00Z"})

    entry = _stream(own_redis)[-1]
    assert entry["occurredAt"] == entry["receivedAt"]
    assert (entry["query"], entry["timeSource"]) == ("lamp", "future")


@pytest.mark.parametrize(
    ("agent", "bot"),
    [("Mozilla/5.0 (compatible; Googlebot/2.1)", "1"), ("curl/8.5", "1"), (BROWSER["User-Agent"], None)],
)
def test_what_a_program_sends_is_marked_and_its_name_is_not_kept(
    shop: Shop, own_redis: RedisHarness, agent: str, bot: str | None
) -> None:
    _send(shop, {"type": "search", "query": "lamp", "resultCount": 0}, headers={"User-Agent": agent})

    entry = _stream(own_redis)[-1]
    assert (entry.get("bot"), entry["resultCount"], entry["timeSource"]) == (bot, "0", "server")
    assert agent not in entry.values()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "view"},
        {"type": "search"},
        {"type": "stare", "productId": str(uuid4())},
        {"type": "view", "productId": "abc"},
        {"type": "view", "productId": str(uuid4()), "userId": str(uuid4())},
        {"type": "view", "productId": str(uuid4()), "occurredAt": "2026-01-01T00:00:00"},
        {"type": "view", "productId": str(uuid4()), "occurredAt": "yesterday"},
        {"type": "view", "productId": str(uuid4()), "quantity": 0},
        {"type": "view", "productId": str(uuid4()), "sessionId": "a b"},
        {"type": "search", "query": ""},
        {"type": "search", "query": "a\u0000b"},
        {"type": "search", "query": "x" * 201},
    ],
)
def test_a_wrong_event_refuses_the_whole_batch(shop: Shop, own_redis: RedisHarness, event: dict[str, Any]) -> None:
    before = len(_stream(own_redis))

    answer = _send(shop, {"type": "view", "productId": str(uuid4())}, event)

    assert problem(answer, 422, "validation-failed")["errors"][0]["pointer"].startswith("/events/1")
    assert len(_stream(own_redis)) == before


@pytest.mark.parametrize("count", [0, 501])
def test_batches_hold_1_to_500(shop: Shop, count: int) -> None:
    problem(_send(shop, *({"type": "view", "productId": str(uuid4())} for _ in range(count))), 422, "validation-failed")


def test_a_batch_of_500_is_taken(shop: Shop, own_redis: RedisHarness) -> None:
    before = len(_stream(own_redis))

    assert _send(shop, *({"type": "impression", "productId": str(uuid4())} for _ in range(500))).json() == {
        "accepted": 500
    }

    assert len(_stream(own_redis)) == before + 500


async def test_views_are_counted_once_whoever_counts(shop: Shop, context: Context) -> None:
    seller = shop.person("seller")
    product = shop.product(seller)["productId"]
    before = shop.sql.execute("select version, updated_at from products where product_id = %s", (product,)).fetchone()
    bare = shop.product(seller)["productId"]  # as an older release makes one
    shop.sql.execute("delete from product_counters where product_id = %s", (bare,))
    view = {"type": "view", "productId": product}
    _send(
        shop,
        *[view] * 30,
        *[view | {"productId": bare}] * 2,
        {"type": "click", "productId": product},
        {"type": "view", "productId": str(uuid4())},
    )

    # Several workers, and one that starts again from the beginning of its memory.
    counted = await asyncio.gather(*(count_views(context) for _ in range(4)))
    await count_views(context)

    assert shop.scalar("select view_count from product_counters where product_id = %s", (product,)) == 30
    assert shop.scalar("select view_count from product_counters where product_id = %s", (bare,)) == 2
    assert sum(counted) >= 32
    assert (
        shop.sql.execute("select version, updated_at from products where product_id = %s", (product,)).fetchone()
        == before
    )


async def test_a_counter_that_dies_before_its_commit_counts_again_and_after_it_never(
    shop: Shop, context: Context
) -> None:
    """The control: without the position in the same commit the second run would count twice."""
    product = shop.product(shop.person("seller"))["productId"]
    await count_views(context)
    position = shop.scalar("select last_id from stream_positions where consumer = 'view_count'")
    _send(shop, *[{"type": "view", "productId": product}] * 5)
    assert await count_views(context) == 5
    assert await count_views(context) == 0

    shop.sql.execute("update stream_positions set last_id = %s where consumer = 'view_count'", (position,))

    assert await count_views(context) == 5
    assert shop.scalar("select view_count from product_counters where product_id = %s", (product,)) == 10


async def test_with_redis_gone_events_are_spooled_and_arrive_later(
    shop: Shop, own_redis: RedisHarness, context: Context, home: Path
) -> None:
    product = shop.product(shop.person("seller"))["productId"]
    sent = [str(uuid4()) for _ in range(60)]
    own_redis.kill9()
    try:
        for i in range(0, 60, 20):
            batch = [{"type": "view", "productId": product, "eventId": event} for event in sent[i : i + 20]]
            answer = await asyncio.to_thread(_send, shop, *batch)
            assert (answer.status_code, answer.json()) == (202, {"accepted": 20})
        assert await drain_spool(context) == 0
        assert await count_views(context) == 0
        # Everything else that leans on Redis goes on too.
        assert shop.client.get("/api/v1/recommendations/for-you").status_code == 200
    finally:
        own_redis.start()

    assert await drain_spool(context) == 60

    assert [entry["eventId"] for entry in _stream(own_redis)][-60:] == sent
    assert list((home / "spool").iterdir()) == []
    assert await drain_spool(context) == 0
    assert await drain_spool(replace(context, redis=None)) == 0, "an empty spool asks nobody"  # type: ignore[arg-type]
    await count_views(context)
    assert shop.scalar("select view_count from product_counters where product_id = %s", (product,)) == 60


async def test_a_drainer_that_died_midway_leaves_neither_gap_nor_repeat(
    context: Context, own_redis: RedisHarness, tmp_path: Path
) -> None:
    entries = [{"type": "view", "eventId": str(i)} for i in range(1_200)]
    assert spool.append(tmp_path, entries, 1_000_000) == 1_200
    (path,) = spool.waiting(tmp_path)
    before = len(_stream(own_redis))

    class Dying:
        """The client of a process that is killed after its first batch was committed."""

        def __init__(self) -> None:
            self.pipelines = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(context.redis, name)

        def pipeline(self, *, transaction: bool) -> Any:
            self.pipelines += 1
            if self.pipelines == 2:
                raise KeyboardInterrupt
            return context.redis.pipeline(transaction=transaction)

    with pytest.raises(KeyboardInterrupt):
        await spool.drain(Dying(), path, 10_000)  # type: ignore[arg-type]  # behaves as the client until it dies
    assert await spool.drain(context.redis, path, 10_000) == 700

    assert [entry["eventId"] for entry in _stream(own_redis)[before:]] == [str(i) for i in range(1_200)]
    assert not path.exists()


async def test_the_stream_is_trimmed_up_to_the_slowest_consumer_and_never_before_the_lake_has_reported(
    context: Context,
) -> None:
    view = {"type": "view", "productId": str(uuid4())}
    await publish(context.redis, [view] * 4, {})
    await count_views(context)
    ids = [entry_id for entry_id, _ in await context.redis.xrange(STREAM)]
    await context.redis.delete(LANDED)
    assert await trim_stream(context) == 0

    await context.redis.set(LANDED, ids[-3])
    assert await trim_stream(context) == len(ids) - 2
    assert [entry_id for entry_id, _ in await context.redis.xrange(STREAM)] == ids[-2:]

    await publish(context.redis, [view], {})
    newest = (await context.redis.xrevrange(STREAM, count=1))[0][0]
    await context.redis.set(LANDED, newest)
    assert await trim_stream(context) == 2, "the counter of views has not seen the newest"
    assert [entry_id for entry_id, _ in await context.redis.xrange(STREAM)] == [newest]
    await count_views(context)
    assert await trim_stream(context) == 1


@pytest_asyncio.fixture
async def small(own_redis: RedisHarness, database_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    """A shop whose stream may hold ten events, and whose spool two or three."""
    settings = Settings.model_validate(
        {
            "DATABASE_URL": database_url, "REDIS_URL": own_redis.url, "SOUK_PROFILE": "test", "SOUK_HOME": tmp_path,
            "SOUK_EVENTS_STREAM_LIMIT": 10, "SOUK_EVENTS_SPOOL_BYTES": 600,
        }
    )  # fmt: skip
    async with open_context(settings) as context:
        await context.redis.delete(STREAM)
        yield context


async def test_a_stream_that_nobody_reads_fills_then_the_spool_then_events_are_refused_loudly(
    small: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "REST_SECONDS", 0.0)
    sink, actor = EventSink(small), Actor(kind="anonymous", session_id=None)
    batch = [BehaviourEvent.model_validate({"type": "search", "query": "lamp"})] * 6

    assert [await sink.record(actor, batch) for _ in range(2)] == [6, 6]
    assert 2 <= await sink.record(actor, batch) < 6
    assert await sink.record(actor, batch) == 0

    assert await small.redis.xlen(STREAM) == 12
    assert "behaviour events are refused: the stream and the spool are full" in "".join(capsys.readouterr())
    assert await drain_spool(small) == 0, "the stream has no room"

    await small.redis.xtrim(STREAM, maxlen=0, approximate=False)
    waiting = len((small.settings.home / "spool" / "behaviour.jsonl").read_text().splitlines())
    assert await drain_spool(small) == waiting > 0
    assert await sink.record(actor, batch) == 6
    assert await small.redis.xlen(STREAM) == waiting + 6


def test_a_full_spool_keeps_what_fits(tmp_path: Path) -> None:
    assert spool.append(tmp_path, [{"eventId": "x" * 20}] * 10, 100) == 2
    assert spool.append(tmp_path, [{"eventId": "x" * 20}], 100) == 0
