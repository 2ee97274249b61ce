"""Background work on what is delivered online: it sleeps until something is paid."""

from api.kernel.context import Context
from api.kernel.jobs import Bell, Job
from api.orders.digital.commands import deliver_due

# How often it looks whether another worker was told of a payment, and has died.
LOOK_SECONDS = 30.0
# After a failure, and while something is paid that could not be delivered, as an order that is being edited.
RETRY_SECONDS = 1.0
# Rings when this worker's relay says that something was paid.
PAID = Bell()


async def follow(ctx: Context) -> int:
    """Deliver what is paid, and look again soon where something is left; of how many orders."""
    PAID.ring_in(RETRY_SECONDS)
    done = await deliver_due(ctx)
    PAID.ring_in(RETRY_SECONDS if done.left else LOOK_SECONDS)
    return done.delivered


JOBS = (Job("digital deliveries", LOOK_SECONDS, follow, PAID),)
