"""Background work on mail."""

import asyncio
from functools import partial

from api.kernel import clock
from api.kernel.context import Context
from api.kernel.jobs import Job
from api.mail import commands

FORGOTTEN_AT_ONCE = 1_000


async def deliver(ctx: Context) -> int:
    """Deliver what is due, no faster than the settings allow: a crowd of orders keeps the processor to itself."""
    started = clock.monotonic()
    delivered = await commands.deliver_due(ctx)
    if delivered == commands.BATCH:
        commands.QUEUED.ring()
        pause = delivered / ctx.settings.mail_per_second - (clock.monotonic() - started)
        await asyncio.sleep(max(0.0, min(pause, 1.0)))
    return delivered


JOBS = (
    Job("mail", 5.0, deliver, commands.QUEUED),
    Job("old mail", 600.0, partial(commands.forget_old, limit=FORGOTTEN_AT_ONCE)),
)
