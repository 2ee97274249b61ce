"""Events leave at least once, in order per aggregate; one that cannot leave is parked and holds nobody up."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
import redis.asyncio

from api.kernel import feeds, outbox
from api.kernel.context import Context
from tests.harness.outbox import remove_events
from tests.harness.wire import watched_wire


@pytest.fixture
def sql(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        remove_events(connection)
        yield connection


async def emit(ctx: Context, aggregate: UUID, kind: str, **payload: object) -> None:
    await ctx.db.run(lambda tx: outbox.emit(tx, "thing", aggregate, kind, payload))


async def stream(ctx: Context) -> list[dict[str, str]]:
    return [fields for _, fields in await ctx.redis.xrange(outbox.STREAM)]


async def test_while_no_event_waits_a_look_is_one_statement_and_says_so_once_a_second(
    ctx: Context, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    """Its listeners hear it several times while they trust it, and after an event at once."""
    relay, said = outbox.Relay(), list[float]()
    subscription = ctx.redis.pubsub(ignore_subscribe_messages=True)
    await subscription.subscribe(feeds.CHANNEL)
    assert await subscription.get_message(timeout=1) is None, "the answer to it"
    with watched_wire() as wire:
        for _ in range(10):
            assert await relay.run(ctx) == 0
    while (message := await subscription.get_message(timeout=0.2)) is not None:
        said.append(message["data"])

    assert len(wire.trips) == 10
    assert not any("pg_try_advisory_lock" in text for text in wire.statements)
    assert len(said) == 1
    await emit(ctx, uuid4(), "Moved")
    assert await relay.run(ctx) == 1
    assert await subscription.get_message(timeout=1) is not None
    assert outbox.SAY_SECONDS < feeds.TRUST_SECONDS / 2


async def test_sequences_are_dense_and_order_is_kept(ctx: Context, sql: psycopg.Connection[tuple[object, ...]]) -> None:
    one, two = uuid4(), uuid4()
    for n in range(5):
        await emit(ctx, one, "Moved", n=n)
        await emit(ctx, two, "Moved", n=n)
    assert await outbox.relay(ctx) == 10
    assert await outbox.relay(ctx) == 0
    for aggregate in (one, two):
        seen = [fields for fields in await stream(ctx) if fields["aggregateId"] == str(aggregate)]
        assert [fields["sequence"] for fields in seen] == ["1", "2", "3", "4", "5"]
    assert sql.execute("select count(*) from outbox_events where published_at is null").fetchone() == (0,)


async def test_poison_is_parked_and_its_neighbours_leave(
    ctx: Context, sql: psycopg.Connection[tuple[object, ...]]
) -> None:
    poison, good = uuid4(), uuid4()
    await emit(ctx, poison, "TooLarge", text="x" * (outbox.MAX_PAYLOAD_BYTES + 1))
    await emit(ctx, good, "Fine")
    assert await outbox.relay(ctx) == 1
    for _ in range(outbox.MAX_ATTEMPTS + 2):
        await outbox.relay(ctx)
    row = sql.execute(
        "select attempts, last_error, published_at from outbox_events where aggregate_id = %s", (poison,)
    ).fetchone()
    assert row is not None
    assert row[0] == outbox.MAX_ATTEMPTS
    assert "over the limit" in str(row[1])
    assert row[2] is None
    assert [fields["eventType"] for fields in await stream(ctx)] == ["Fine"]


async def test_events_wait_while_the_stream_is_away(ctx: Context, sql: psycopg.Connection[tuple[object, ...]]) -> None:
    await emit(ctx, uuid4(), "Patient")
    away = replace(ctx, redis=redis.asyncio.Redis.from_url("redis://127.0.0.1:1/0", decode_responses=True))
    assert await outbox.relay(away) == 0
    assert sql.execute("select attempts, published_at from outbox_events").fetchall() == [(0, None)]
    assert await outbox.relay(ctx) == 1


async def test_writers_that_commit_out_of_order_lose_nothing_and_a_cursor_would(
    ctx: Context, sql: psycopg.Connection[tuple[object, ...]], database_url: str
) -> None:
    """The mutant is a relay that reads "above the last event seen", by time: an event that commits late has an earlier
    place and is never read."""
    slow, fast = uuid4(), uuid4()
    with psycopg.connect(database_url) as late:
        late.execute(
            "insert into outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload) "
            "values (%s, 'thing', %s, 1, 'Slow', '{}')",
            (uuid4(), slow),
        )
        await asyncio.sleep(0.05)
        await emit(ctx, fast, "Fast")
        assert await outbox.relay(ctx) == 1
        cursor = sql.execute("select max(created_at) from outbox_events").fetchone()
        assert cursor is not None
        late.commit()
    by_cursor = sql.execute("select count(*) from outbox_events where created_at > %s", (cursor[0],)).fetchone()
    assert by_cursor == (0,), "the cursor relay has lost it"
    assert await outbox.relay(ctx) == 1
    assert {fields["eventType"] for fields in await stream(ctx)} == {"Slow", "Fast"}
