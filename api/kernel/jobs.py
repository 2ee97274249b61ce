"""The form of a background job, and the kernel's own jobs.

Each noun lists its jobs in `jobs.py`; the worker runs all of them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.kernel import idempotency
from api.kernel.context import Context
from api.kernel.db import Tx


@dataclass(frozen=True, slots=True)
class Job:
    """`run` processes what is due and returns how many items it processed; it is
    called again `every_seconds` after it ended."""

    name: str
    every_seconds: float
    run: Callable[[Context], Awaitable[int]]


async def in_batches(ctx: Context, size: int, delete: Callable[[Tx, int], Awaitable[int]]) -> int:
    """Call `delete(tx, size)`, each time in a transaction of its own, until it
    deletes less than a batch; returns the sum."""
    total = 0
    while True:
        gone = await ctx.db.run(lambda tx: delete(tx, size))
        total += gone
        if gone < size:
            return total


JOBS = (Job("idempotency reaper", 600.0, idempotency.reap),)
