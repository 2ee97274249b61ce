"""Background work on checkout sessions."""

from api.agents.commands import forget_expired
from api.kernel.context import Context
from api.kernel.jobs import Job, in_batches

BATCH = 500


async def collect_sessions(ctx: Context) -> int:
    """Delete sessions that expired as long ago as the answers to keys are kept; returns how many."""
    kept = ctx.settings.idempotency_retention_seconds
    return await in_batches(ctx, BATCH, lambda tx, size: forget_expired(tx, size, kept))


JOBS = (Job("checkout sessions of agents", 300.0, collect_sessions),)
