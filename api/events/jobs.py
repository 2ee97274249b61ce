"""Background work on behaviour events: send the spool to the stream."""

from redis.exceptions import RedisError

from api.events import spool
from api.events.stream import STREAM
from api.kernel.context import Context
from api.kernel.jobs import Job


async def drain_spool(ctx: Context) -> int:
    """Send the spooled events; returns how many, 0 while Redis is unavailable."""
    sent = 0
    try:
        # Check Redis first: each attempt renames a file, so attempts during an outage would only create more files.
        await ctx.redis.exists(STREAM)
        for path in spool.waiting(ctx.settings.home / "spool"):
            sent += await spool.drain(ctx.redis, path)
    except RedisError:
        return sent
    return sent


JOBS = (Job("event spool", 1.0, drain_spool),)
