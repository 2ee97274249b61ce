"""The transactional outbox: an event is inserted in the same commit as its cause, and the relay publishes it to
Redis at least once, in order per aggregate.

The relay reads events that are not marked as published, not ids above the last one seen, because ids become
visible out of order. One relay works at a time. It holds a session advisory lock and no row locks, because no
transaction may be open during a call to Redis. While no event waits, a look takes one statement and no lock.

A noun may let entries of other streams follow from an event (`followers.py`); they are appended together with it. It
says which kept pages an event puts out of date (`drops.py`), and what else follows from their change (`spreads.py`);
they are dropped before it is published. What an event makes in Postgres, such as mail, goes through a door
(`doors.py`): before Redis is asked, and once however often the event is read.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT
from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, select, update

from api.kernel import clock, failpoints, feeds
from api.kernel.context import Context
from api.kernel.db import ReadTx, Tx, is_unavailable
from api.kernel.ids import new_id
from api.kernel.logs import get_logger
from api.kernel.models import OutboxEvent
from api.kernel.statement import OPEN_GATE, Part, compose

log = get_logger(__name__)

STREAM = "souk:events:business"
STREAM_MAXLEN = 1_000_000
BATCH = 200
MAX_ATTEMPTS = 5
MAX_PAYLOAD_BYTES = 256 * 1024
RELAY_LOCK = 7_305_826
# The feed of drops that follow from events.
FEED = "events"
# While no event waits, the feed's listeners hear so often that none is left to drop: several times while they trust it
# (`feeds.TRUST_SECONDS`).
SAY_SECONDS = 1.0
_EARLY_SECONDS = 0.1  # a beat of the worker may come so much early

_INSERT = """emitted AS (
    INSERT INTO outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload)
    SELECT e.event_id, e.aggregate_type, e.aggregate_id,
           coalesce((SELECT max(o.sequence) FROM outbox_events o
                     WHERE o.aggregate_type = e.aggregate_type AND o.aggregate_id = e.aggregate_id), 0)
           + row_number() OVER (PARTITION BY e.aggregate_type, e.aggregate_id ORDER BY e.position),
           e.event_type, CAST(e.payload AS jsonb)
    FROM unnest(CAST(:outbox_ids AS uuid[]), CAST(:outbox_aggregates AS text[]), CAST(:outbox_aggregate_ids AS uuid[]),
                CAST(:outbox_types AS text[]), CAST(:outbox_payloads AS text[]), CAST(:outbox_gates AS uuid[]))
         WITH ORDINALITY AS e(event_id, aggregate_type, aggregate_id, event_type, payload, gate_id, position)
    JOIN gate ON gate.checkout_id IS NOT DISTINCT FROM e.gate_id
    RETURNING 1)"""


def first_events(listed: str, name: str) -> str:
    """The CTE `name`, which inserts the first events of new aggregates that a CTE `listed` has: aggregate_type,
    aggregate_id, event_type, payload."""
    return f"""{name} AS (
    INSERT INTO outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload)
    SELECT gen_random_uuid(), h.aggregate_type, h.aggregate_id, 1, h.event_type, h.payload FROM {listed} h
    RETURNING 1)"""  # noqa: S608 - names of the shop's own statements


def next_events(listed: str, name: str) -> str:
    """The same for aggregates that may have events already: the caller holds the row of each, and lists it once."""
    return f"""{name} AS (
    INSERT INTO outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload)
    SELECT gen_random_uuid(), h.aggregate_type, h.aggregate_id,
           coalesce((SELECT max(o.sequence) FROM outbox_events o
                     WHERE o.aggregate_type = h.aggregate_type AND o.aggregate_id = h.aggregate_id), 0) + 1,
           h.event_type, h.payload
    FROM {listed} h
    RETURNING 1)"""  # noqa: S608 - names of the shop's own statements


_INSERT_FIRST = first_events("happened", "emitted")
_UNPUBLISHED = (OutboxEvent.published_at.is_(None), OutboxEvent.attempts < MAX_ATTEMPTS)
_PENDING = (
    select(
        OutboxEvent.event_id,
        OutboxEvent.aggregate_type,
        OutboxEvent.aggregate_id,
        OutboxEvent.sequence,
        OutboxEvent.event_type,
        cast(OutboxEvent.payload, Text).label("payload"),
        OutboxEvent.created_at,
    )
    .where(*_UNPUBLISHED)
    .order_by(OutboxEvent.created_at, OutboxEvent.aggregate_id, OutboxEvent.sequence)
    .limit(BATCH)
)
_WAITING = select(OutboxEvent.event_id).where(*_UNPUBLISHED).limit(1)
_LOCK, _UNLOCK = select(func.pg_try_advisory_lock(RELAY_LOCK)), select(func.pg_advisory_unlock(RELAY_LOCK))
_MARK = (
    update(OutboxEvent)
    .where(OutboxEvent.event_id == any_(bindparam("sent", type_=ARRAY(Uuid))), OutboxEvent.published_at.is_(None))
    .values(published_at=func.now())
)


@dataclass(frozen=True, slots=True)
class Pending:
    """An unpublished event; `payload` is JSON text."""

    event_id: UUID
    aggregate_type: str
    aggregate_id: UUID
    sequence: int
    event_type: str
    payload: str
    created_at: datetime

    @property
    def fields(self) -> dict[str, str]:
        """The entry of the stream."""
        return {
            "eventId": str(self.event_id),
            "eventType": self.event_type,
            "aggregateType": self.aggregate_type,
            "aggregateId": str(self.aggregate_id),
            "sequence": str(self.sequence),
            "occurredAt": self.created_at.isoformat(),
            "payload": self.payload,
        }


@dataclass(frozen=True, slots=True)
class Event:
    """`payload` is published to the lake and to consumers: ids, states and amounts, never personal data.

    `gate_id`: the row of the statement's gate that lets it happen, None for an open gate.
    """

    aggregate_type: str
    aggregate_id: UUID
    event_type: str
    payload: Mapping[str, object]
    gate_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """An entry of another stream. It may be appended twice, as every event; its reader drops repeats by an id in it."""

    stream: str
    fields: Mapping[str, str]


# From a batch of events to the messages that follow from each.
Follower = Callable[[Context, ReadTx, Sequence[Pending]], Awaitable[Mapping[UUID, Sequence[Message]]]]
# From a batch of events to rows that they make. Called again with events that it has seen, it makes none twice.
Door = Callable[[Context, Tx, Sequence[Pending]], Awaitable[None]]
# From a batch of events to the tags of the pages that they put out of date.
Drop = Callable[[ReadTx, Sequence[Pending]], Awaitable[Collection[str]]]
# From the tags of what has changed to those of what follows from it, which it brings up to date.
Spread = Callable[[Tx, Collection[str]], Awaitable[Collection[str]]]
FIRST_EVENTS = Part(_INSERT_FIRST, makes=("emitted",), needs=("happened",), appends=frozenset({"outbox_events"}))


def events_part(events: Sequence[Event]) -> Part:
    """The part that inserts `events`; sequences continue densely per aggregate.

    The caller holds the aggregate's row or lease.
    """
    return Part(
        _INSERT,
        {
            "outbox_ids": [new_id() for _ in events],
            "outbox_aggregates": [event.aggregate_type for event in events],
            "outbox_aggregate_ids": [event.aggregate_id for event in events],
            "outbox_types": [event.event_type for event in events],
            "outbox_payloads": [orjson.dumps(event.payload, default=str).decode() for event in events],
            "outbox_gates": [event.gate_id for event in events],
        },
        makes=("emitted",),
        needs=("gate",),
        appends=frozenset({"outbox_events"}),
    )


async def emit(tx: Tx, aggregate_type: str, aggregate_id: UUID, event_type: str, payload: Mapping[str, object]) -> None:
    """Insert one event in the caller's transaction."""
    await tx.execute(
        *compose([OPEN_GATE, events_part([Event(aggregate_type, aggregate_id, event_type, payload)])], "1")
    )


class Relay:
    """Publishes pending events in batches, and what follows from them, and drops the pages that they put out of date.
    One for each process that does so again and again."""

    def __init__(
        self,
        followers: Sequence[Follower] = (),
        dropped: Sequence[Drop] = (),
        doors: Sequence[Door] = (),
        spreads: Sequence[Spread] = (),
    ) -> None:
        self._followers = followers
        self._dropped = dropped
        self._doors = doors
        self._spreads = spreads
        self._said = float("-inf")

    async def run(self, ctx: Context) -> int:
        """Publish what is pending now. Returns how many; 0 when another relay works or Redis is unavailable."""
        async with ctx.db.autocommit() as tx:
            if await tx.first(_WAITING) is None:
                await self._say_none_left(ctx.redis)
                return 0
            if not await tx.scalar(_LOCK):
                return 0
            published = 0
            try:
                full = True
                while full:
                    batch = await self._publish_batch(ctx, tx)
                    published, full = published + batch, batch == BATCH
            except RedisError as error:
                log.warning("the event stream does not answer, events wait in the outbox", error=str(error))
            finally:
                await tx.execute(_UNLOCK)
            return published

    async def _publish_batch(self, ctx: Context, tx: Tx) -> int:
        """Publish one batch and mark it.

        A crash between the two publishes it again: consumers drop repeats by `eventId`.
        """
        pending = await tx.all_as(Pending, _PENDING)
        for door in self._doors:
            await _through(ctx, tx, door, pending)
        sent: list[UUID] = []
        tags = {tag for drop in self._dropped for tag in await drop(tx, pending)} if pending else set()
        for spread in self._spreads:
            tags |= set(await spread(tx, tags))
        try:
            # First, so that an event that cannot be published has dropped its pages too. A batch that is not full is
            # all there was when it was read: no drop is left to do.
            await feeds.announce(ctx.redis, tags, FEED if len(pending) < BATCH else None)
        except RedisError:
            if pending:
                raise
            return 0
        if pending:
            followed = [await follow(ctx, tx, pending) for follow in self._followers]
            following = [[m for found in followed for m in found.get(event.event_id, ())] for event in pending]
            failpoints.hit("outbox.before_publish")
            errors = await _send(ctx.redis, pending, following)
            for event, error in zip(pending, errors, strict=True):
                if error is None:
                    sent.append(event.event_id)
                    continue
                # Redis refuses only this event: count the attempt. After MAX_ATTEMPTS it is not tried again.
                failed = {"attempts": OutboxEvent.attempts + 1, "last_error": error[:500]}
                await tx.execute(update(OutboxEvent).where(OutboxEvent.event_id == event.event_id).values(failed))
                log.warning("event cannot be published", event_id=str(event.event_id), error=error)
            failpoints.hit("outbox.after_publish")
        await _mark(tx, sent)
        return len(sent)

    async def _say_none_left(self, redis: Redis) -> None:
        """Without the lock: an event is marked, or its attempt counted, after its pages are dropped, so when none waits
        the pages of all are."""
        if clock.monotonic() < self._said + SAY_SECONDS - _EARLY_SECONDS:
            return
        with suppress(RedisError):
            await feeds.announce(redis, (), FEED)
            self._said = clock.monotonic()


async def relay(
    ctx: Context,
    followers: Sequence[Follower] = (),
    dropped: Sequence[Drop] = (),
    doors: Sequence[Door] = (),
    spreads: Sequence[Spread] = (),
) -> int:
    """What a `Relay` does when it runs for the first time."""
    return await Relay(followers, dropped, doors, spreads).run(ctx)


async def _through(ctx: Context, tx: Tx, door: Door, events: Sequence[Pending]) -> None:
    """Let the events through a door; one that the door cannot take keeps no other from it, nor itself from Redis."""
    if not events:
        return
    try:
        await door(ctx, tx, events)
    except Exception as error:
        if isinstance(error, psycopg.Error) and is_unavailable(error):
            raise
        if len(events) > 1:
            for event in events:
                await _through(ctx, tx, door, [event])
            return
        log.exception("an event made nothing", event_id=str(events[0].event_id), event_type=events[0].event_type)


async def _send(redis: Redis, events: Sequence[Pending], following: Sequence[Sequence[Message]]) -> list[str | None]:
    """Append the events, each with what follows from it, in one round trip; for each the reason why Redis refuses it.

    Raises: RedisError when Redis does not answer; then any of them may have been appended.
    """
    pipeline, places, errors = redis.pipeline(transaction=False), list[range](), list[str | None]()
    for event, messages in zip(events, following, strict=True):
        begins, size = len(pipeline), len(event.payload)
        errors.append(
            f"payload of {size} bytes is over the limit of {MAX_PAYLOAD_BYTES}" if size > MAX_PAYLOAD_BYTES else None
        )
        if errors[-1] is None:
            entry: dict[EncodableT, EncodableT] = dict(event.fields.items())
            pipeline.xadd(STREAM, entry, maxlen=STREAM_MAXLEN, approximate=True)
            for message in messages:
                follower: dict[EncodableT, EncodableT] = dict(message.fields.items())
                pipeline.xadd(message.stream, follower)
        places.append(range(begins, len(pipeline)))
    answers = await pipeline.execute(raise_on_error=False)
    for number, place in enumerate(places):
        refused = [str(answers[i]) for i in place if isinstance(answers[i], Exception)]
        errors[number] = refused[0] if refused else errors[number]
    return errors


async def _mark(tx: Tx, sent: Sequence[UUID]) -> None:
    if sent:
        await tx.execute(_MARK, {"sent": list(sent)})
