"""Reads the behaviour stream and writes to Postgres.

A batch and the consumer's position share a commit, so each entry counts once, also after a crash.
"""

from redis.asyncio import Redis
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.events.models import StreamPosition
from api.events.stream import STREAM, Entry
from api.kernel.db import ReadTx, Tx

BATCH = 1_000
BEGINNING = "0-0"
_POSITION = select(StreamPosition.last_id).where(StreamPosition.consumer == bindparam("consumer"))
_POSITIONS = select(StreamPosition.last_id)


async def position_of(tx: ReadTx, consumer: str) -> str:
    """The id of the last entry that `consumer` has counted; `BEGINNING` before the first."""
    last_id: str | None = await tx.scalar(_POSITION, {"consumer": consumer})
    return last_id or BEGINNING


async def positions(tx: ReadTx) -> list[str]:
    """Where each counter stands. An entry above the lowest one is still needed."""
    return [str(row[0]) for row in await tx.all(_POSITIONS)]


async def entries_after(redis: Redis, position: str) -> list[tuple[str, Entry]]:
    """At most `BATCH` entries after `position`, oldest first, each with its id. Raises: RedisError."""
    entries: list[tuple[str, Entry]] = await redis.xrange(STREAM, min=f"({position}", count=BATCH)
    return entries


async def advance(tx: Tx, consumer: str, position: str, last_id: str) -> bool:
    """Move the consumer from `position` to `last_id`; False when another worker has counted this batch."""
    if position == BEGINNING:
        await tx.execute(insert(StreamPosition).values(consumer=consumer, last_id=BEGINNING).on_conflict_do_nothing())
    moved = (
        update(StreamPosition)
        .where(StreamPosition.consumer == consumer, StreamPosition.last_id == position)
        .values(last_id=last_id, updated_at=func.now())
    )
    return (await tx.execute(moved)).rowcount == 1
