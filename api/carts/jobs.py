"""Background work of carts."""

from api.carts import commands
from api.kernel.context import Context
from api.kernel.jobs import Job, in_batches

BATCH = 500


async def expire_carts(ctx: Context) -> int:
    """Delete expired carts in batches; returns how many."""
    return await in_batches(ctx, BATCH, commands.expire_carts)


JOBS = (Job("cart expiry", 60.0, expire_carts),)
