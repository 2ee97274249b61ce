"""Background work of carts."""

from __future__ import annotations

from api.carts import commands
from api.kernel.context import Context
from api.kernel.jobs import Job

BATCH = 500


async def expire_carts(ctx: Context) -> int:
    """Delete carts nobody came back to, a batch at a time; how many."""
    total = 0
    while True:
        gone = await ctx.db.run(lambda tx: commands.expire_carts(tx, BATCH))
        total += gone
        if gone < BATCH:
            return total


JOBS = (Job("cart expiry", 60.0, expire_carts),)
