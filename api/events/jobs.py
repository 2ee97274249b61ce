"""Background work on behaviour events: the spool back into the stream, views into the products."""

from collections import Counter
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from api.catalog.commands.views import add_views
from api.events import spool
from api.events.models import StreamPosition
from api.events.stream import STREAM
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import parse_id
from api.kernel.jobs import Job
from api.kernel.logs import get_logger

log = get_logger(__name__)

CONSUMER = "view_count"
BATCH = 1_000
BEGINNING = "0-0"


async def drain_spool(ctx: Context) -> int:
    """Send what was spooled; 0 while Redis is still away."""
    sent = 0
    try:
        # Ask first: renaming files for a stream that is away would only make more of them.
        await ctx.redis.exists(STREAM)
        for path in spool.waiting(ctx.settings.home / "spool"):
            sent += await spool.drain(ctx.redis, path)
    except RedisError:
        return sent
    return sent


async def count_views(ctx: Context) -> int:
    """Add views to `products.view_count`, batch by batch; how many views counted. 0 while Redis is away."""
    total = 0
    while True:
        async with ctx.db.read() as read:
            position = (
                await read.scalar(select(StreamPosition.last_id).where(StreamPosition.consumer == CONSUMER))
                or BEGINNING
            )
        try:
            entries: list[tuple[str, dict[str, str]]] = await ctx.redis.xrange(STREAM, min=f"({position}", count=BATCH)
        except RedisError:
            return total
        if not entries:
            return total
        total += await _apply(ctx, position, entries)


async def _apply(ctx: Context, position: str, entries: list[tuple[str, dict[str, str]]]) -> int:
    """Count one batch once: the position moves in the same commit, and only from where this worker read."""
    views = Counter(_viewed(fields) for _, fields in entries)
    del views[None]
    counts = {product: n for product, n in views.items() if product is not None}

    async def work(tx: Tx) -> int:
        if not await _advance(tx, position, entries[-1][0]):
            return 0
        await add_views(tx, counts)
        return sum(counts.values())

    return await ctx.db.run(work)


async def _advance(tx: Tx, position: str, last_id: str) -> bool:
    """False when another worker has counted this batch."""
    values: dict[str, Any] = {"last_id": last_id, "updated_at": func.now()}  # Any: text and an SQL expression
    if position == BEGINNING:
        await tx.execute(insert(StreamPosition).values(consumer=CONSUMER, last_id=BEGINNING).on_conflict_do_nothing())
    moved = (
        update(StreamPosition)
        .where(StreamPosition.consumer == CONSUMER, StreamPosition.last_id == position)
        .values(values)
    )
    return (await tx.execute(moved)).rowcount == 1


def _viewed(fields: dict[str, str]) -> UUID | None:
    """The product of a view; None for everything else, and for what a foreign producer wrote wrongly."""
    return parse_id(fields.get("productId", "")) if fields.get("type") == "view" else None


JOBS = (Job("event spool", 1.0, drain_spool), Job("view counts", 2.0, count_views))
