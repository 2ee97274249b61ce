"""Background work on reviews: partitions of months to come are made ahead."""

from datetime import timedelta
from functools import partial

from sqlalchemy import Integer, bindparam, func, select

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import Job

AHEAD = 3
_MAKE = select(func.make_review_month(func.now() + func.make_interval(0, bindparam("months", type_=Integer))))
_EVERY = timedelta(hours=6).total_seconds()


async def make_months(ctx: Context) -> int:
    """Make the partitions of this month and of those after it; returns how many were not there. Until then the
    partition of all other months takes what is written."""
    made = 0
    for months in range(AHEAD + 1):
        made += bool(await ctx.db.run(partial(_make, months)))
    return made


async def _make(months: int, tx: Tx) -> bool | None:
    made: bool | None = await tx.scalar(_MAKE, {"months": months})
    return made


JOBS = (Job("partitions of reviews", _EVERY, make_months),)
