"""Background work on behaviour events: the spool back into the stream."""

from redis.exceptions import RedisError

from api.events import spool
from api.events.stream import STREAM
from api.kernel.context import Context
from api.kernel.jobs import Job


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


JOBS = (Job("event spool", 1.0, drain_spool),)
