"""Background work of accounts."""

from __future__ import annotations

from api.identity import tokens
from api.kernel.context import Context
from api.kernel.jobs import Job

BATCH = 1_000


async def forget_expired_tokens(ctx: Context) -> int:
    """Delete refresh tokens whose time is over, a batch at a time; how many."""
    total = 0
    while True:
        gone = await ctx.db.run(lambda tx: tokens.forget_expired(tx, BATCH))
        total += gone
        if gone < BATCH:
            return total


JOBS = (Job("expired refresh tokens", 600.0, forget_expired_tokens),)
