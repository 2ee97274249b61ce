"""Background work of accounts."""

from api.identity import tokens
from api.kernel.context import Context
from api.kernel.jobs import Job, in_batches

BATCH = 1_000


async def forget_expired_tokens(ctx: Context) -> int:
    """Delete expired refresh tokens in batches; returns how many."""
    return await in_batches(ctx, BATCH, tokens.forget_expired)


JOBS = (Job("expired refresh tokens", 600.0, forget_expired_tokens),)
