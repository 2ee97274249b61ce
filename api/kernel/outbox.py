"""Events leave in the same commit as their cause; the relay carries them to Redis at least once, in order per
aggregate.

The relay reads what is not yet marked, never "id above the last one seen": ids become visible out of order. One relay
works at a time, held by a session advisory lock rather than by row locks, because no transaction may be open while
Redis is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.typing import EncodableT
from sqlalchemy import text

from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.logs import get_logger
from api.kernel.statement import OPEN_GATE, Part, compose

log = get_logger(__name__)

STREAM = "souk:events:business"
STREAM_MAXLEN = 1_000_000
BATCH = 200
MAX_ATTEMPTS = 5
MAX_PAYLOAD_BYTES = 256 * 1024
RELAY_LOCK = 7_305_826

_INSERT = """emitted AS (
    INSERT INTO outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload)
    SELECT e.event_id, e.aggregate_type, e.aggregate_id,
           coalesce((SELECT max(o.sequence) FROM outbox_events o
                     WHERE o.aggregate_type = e.aggregate_type AND o.aggregate_id = e.aggregate_id), 0)
           + row_number() OVER (PARTITION BY e.aggregate_type, e.aggregate_id ORDER BY e.position),
           e.event_type, CAST(e.payload AS jsonb)
    FROM unnest(CAST(:outbox_ids AS uuid[]), CAST(:outbox_aggregates AS text[]), CAST(:outbox_aggregate_ids AS uuid[]),
                CAST(:outbox_types AS text[]), CAST(:outbox_payloads AS text[]))
         WITH ORDINALITY AS e(event_id, aggregate_type, aggregate_id, event_type, payload, position), gate
    RETURNING 1)"""
_PENDING = text(
    "SELECT event_id, aggregate_type, aggregate_id, sequence, event_type, payload::text AS payload, created_at FROM"
    " outbox_events WHERE published_at IS NULL AND attempts < :max_attempts ORDER BY created_at, aggregate_id, sequence"
    " LIMIT :batch"
)
_MARK = text("UPDATE outbox_events SET published_at = now() WHERE event_id = ANY(:ids) AND published_at IS NULL")
_FAILED = text("UPDATE outbox_events SET attempts = attempts + 1, last_error = :error WHERE event_id = :event_id")


@dataclass(frozen=True, slots=True)
class Event:
    """`payload` is published to the lake and to consumers: ids, states and amounts, never personal data."""

    aggregate_type: str
    aggregate_id: UUID
    event_type: str
    payload: Mapping[str, object]


def events_part(events: Sequence[Event]) -> Part:
    """The part that inserts `events`; sequences continue densely per aggregate. The caller holds the aggregate's row or
    lease."""
    return Part(
        _INSERT,
        {
            "outbox_ids": [new_id() for _ in events],
            "outbox_aggregates": [event.aggregate_type for event in events],
            "outbox_aggregate_ids": [event.aggregate_id for event in events],
            "outbox_types": [event.event_type for event in events],
            "outbox_payloads": [orjson.dumps(event.payload, default=str).decode() for event in events],
        },
        makes=("emitted",),
        needs=("gate",),
        writes=frozenset({"outbox_events"}),
    )


async def emit(tx: Tx, aggregate_type: str, aggregate_id: UUID, event_type: str, payload: Mapping[str, object]) -> None:
    """Insert one event in the caller's transaction."""
    await tx.execute(
        *compose([OPEN_GATE, events_part([Event(aggregate_type, aggregate_id, event_type, payload)])], "1")
    )


async def relay(ctx: Context) -> int:
    """Publish what is pending, batch by batch. Returns how many events went out; 0 when another relay works or Redis is
    away."""
    async with ctx.db.autocommit() as tx:
        if not await tx.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": RELAY_LOCK}):
            return 0
        published = 0
        try:
            while batch := await _publish_batch(tx, ctx.redis):
                published += batch
        except (RedisConnectionError, RedisTimeoutError) as error:
            log.warning("the event stream does not answer, events wait in the outbox", error=str(error))
        finally:
            await tx.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": RELAY_LOCK})
        return published


async def _publish_batch(tx: Tx, redis: Redis) -> int:
    """One batch out and marked. A crash between the two sends it again: consumers drop repeats by `eventId`."""
    rows = await tx.all(_PENDING, {"max_attempts": MAX_ATTEMPTS, "batch": BATCH})
    sent: list[UUID] = []
    if rows:
        failpoints.hit("outbox.before_publish")
    for row in rows:
        fields: dict[str, str] = {
            "eventId": str(row.event_id),
            "eventType": row.event_type,
            "aggregateType": row.aggregate_type,
            "aggregateId": str(row.aggregate_id),
            "sequence": str(row.sequence),
            "occurredAt": row.created_at.isoformat(),
            "payload": row.payload,
        }
        try:
            await _add(redis, fields)
            sent.append(row.event_id)
        except (RedisConnectionError, RedisTimeoutError):
            await _mark(tx, sent)
            raise
        except RedisError as error:
            # This event is the problem, not the stream: count it, go on with its neighbours, park it after
            # MAX_ATTEMPTS.
            await tx.execute(_FAILED, {"event_id": row.event_id, "error": str(error)[:500]})
            log.warning("event cannot be published", event_id=str(row.event_id), error=str(error))
    if rows:
        failpoints.hit("outbox.after_publish")
    await _mark(tx, sent)
    return len(sent)


async def _add(redis: Redis, fields: dict[str, str]) -> None:
    size = len(fields["payload"])
    if size > MAX_PAYLOAD_BYTES:
        raise RedisError(f"payload of {size} bytes is over the limit of {MAX_PAYLOAD_BYTES}")
    entry: dict[EncodableT, EncodableT] = dict(fields.items())
    await redis.xadd(STREAM, entry, maxlen=STREAM_MAXLEN, approximate=True)


async def _mark(tx: Tx, sent: Sequence[UUID]) -> None:
    if sent:
        await tx.execute(_MARK, {"ids": list(sent)})
