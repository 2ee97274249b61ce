"""Background work on behaviour events: send the spool to the stream, and trim what every consumer has."""

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from api.events import consumers, spool, stream
from api.events.stream import STREAM
from api.kernel.context import Context
from api.kernel.jobs import Job


async def drain_spool(ctx: Context) -> int:
    """Send the spooled events while the stream has room; returns how many, 0 while Redis is unavailable."""
    folder, sent = ctx.settings.home / "spool", 0
    if not spool.holds_events(folder):
        return 0
    try:
        # Check Redis first: each attempt renames a file, so attempts during an outage would only create more files.
        room = ctx.settings.events_stream_limit - await ctx.redis.xlen(STREAM)
        if room <= 0:
            return 0
        for path in spool.waiting(folder):
            sent += await spool.drain(ctx.redis, path, room - sent)
    except RedisError:
        return sent
    return sent


async def trim_stream(ctx: Context) -> int:
    """Delete from the stream what the lake and the counters have; returns how many, 0 while Redis is unavailable."""
    async with ctx.db.read() as read:
        counted = await consumers.positions(read)
    try:
        return await stream.trim(ctx.redis, counted)
    except (RedisConnectionError, RedisTimeoutError):
        return 0


JOBS = (Job("event spool", 1.0, drain_spool), Job("event stream trim", 5.0, trim_stream, calms=True))
