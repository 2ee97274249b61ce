"""Background work on edits: complete those whose process died, and forget those that nobody committed."""

from api.checkout.edits.commands import complete_abandoned
from api.kernel.context import Context
from api.kernel.jobs import Job, in_batches
from api.orders.edits.leases import forget_expired


async def forget_uncommitted(ctx: Context) -> int:
    """Delete edits that nobody committed, in batches; returns how many."""
    return await in_batches(ctx, 1_000, forget_expired)


JOBS = (Job("edit completer", 5.0, complete_abandoned, calms=True), Job("uncommitted edits", 600.0, forget_uncommitted))
