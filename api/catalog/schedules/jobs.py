"""Background work on scheduled changes: it sleeps until the next moment."""

from api.catalog.schedules.commands import do_due
from api.catalog.schedules.queries import seconds_left
from api.kernel.context import Context
from api.kernel.jobs import Bell, Job

# How often it looks whether another worker was told of an earlier moment, and has died.
LOOK_SECONDS = 30.0
# After a failure, as when the database did not answer.
RETRY_SECONDS = 1.0
# The clocks of the process and the database differ by a little.
SOON_SECONDS = 0.02
# Rings at the next moment, and when this worker's relay says that a schedule was set.
NEXT = Bell()


async def follow(ctx: Context) -> int:
    """Do what is due, and let the bell ring when more is; how many products."""
    NEXT.ring_in(RETRY_SECONDS)
    done = await do_due(ctx)
    async with ctx.db.read() as tx:
        left = await seconds_left(tx)
    NEXT.ring_in(LOOK_SECONDS if left is None else min(max(left, SOON_SECONDS), LOOK_SECONDS))
    return done


JOBS = (Job("scheduled changes", LOOK_SECONDS, follow, NEXT),)
