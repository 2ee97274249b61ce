"""Background work on products: views of the behaviour stream are added to `product_counters.view_count`."""

from collections import Counter
from uuid import UUID

from redis.exceptions import RedisError

from api.catalog.commands.views import add_views
from api.events import consumers
from api.events.stream import Entry
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import parse_id
from api.kernel.jobs import Job

CONSUMER = "view_count"


async def count_views(ctx: Context) -> int:
    """Add views to `product_counters.view_count` in batches; returns how many, 0 while Redis is unavailable."""
    total = 0
    while True:
        async with ctx.db.read() as read:
            position = await consumers.position_of(read, CONSUMER)
        try:
            entries = await consumers.entries_after(ctx.redis, position)
        except RedisError:
            return total
        if not entries:
            return total
        total += await _count(ctx, position, entries)


async def _count(ctx: Context, position: str, entries: list[tuple[str, Entry]]) -> int:
    """Count one batch exactly once: the position advances in the same commit, and only from where this worker read."""
    views = Counter(product for _, fields in entries if (product := _viewed(fields)) is not None)

    async def work(tx: Tx) -> int:
        if not await consumers.advance(tx, CONSUMER, position, entries[-1][0]):
            return 0
        await add_views(tx, views)
        return views.total()

    return await ctx.db.run(work)


def _viewed(fields: Entry) -> UUID | None:
    """The product of a view event; None for other events, for those of programs, and for malformed entries."""
    seen = fields.get("type") == "view" and "bot" not in fields
    return parse_id(fields.get("productId", "")) if seen else None


JOBS = (Job("view counts", 2.0, count_views, calms=True),)
