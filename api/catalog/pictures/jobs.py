"""Background work on awaited pictures: it sleeps until one can be fetched."""

from api.catalog.pictures.fetching import fetch_due, seconds_left
from api.kernel.context import Context
from api.kernel.jobs import Bell, Job

# How often it looks whether there are pictures of which this worker was not told.
LOOK_SECONDS = 30.0
# After a failure, as when the database did not answer.
RETRY_SECONDS = 1.0
# The clocks of the process and the database differ by a little.
SOON_SECONDS = 0.02
# Rings when a picture was fetched, when the next one may be, and when this worker's relay hears of a saved product.
NEXT = Bell()


async def follow(ctx: Context) -> int:
    """Begin to fetch what is due, and let the bell ring when more is; how many pictures were begun."""
    NEXT.ring_in(RETRY_SECONDS)
    begun = await fetch_due(ctx, NEXT.ring)
    left = await seconds_left(ctx)
    NEXT.ring_in(LOOK_SECONDS if left is None else min(max(left, SOON_SECONDS), LOOK_SECONDS))
    return begun


JOBS = (Job("awaited pictures", LOOK_SECONDS, follow, NEXT),)
