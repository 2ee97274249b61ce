"""The form of a background job, and the kernel's own jobs.

Each noun lists its jobs in `jobs.py`; the worker runs all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.kernel import idempotency
from api.kernel.context import Context
from api.kernel.db import Tx


class Bell:
    """Says that a job of this process has work. A ring while the job runs, or before it waits, is not lost."""

    def __init__(self) -> None:
        self._rang = False
        self.wakes: Callable[[], None] | None = None
        self._later: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Call it on the event loop."""
        self._rang = True
        if self.wakes is not None:
            self.wakes()

    def ring_in(self, seconds: float) -> None:
        """Let it ring then, and no more when it was to ring by an earlier call."""
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(seconds, self.ring)

    def heard(self) -> bool:
        """Whether it rang since the last call."""
        rang, self._rang = self._rang, False
        return rang


@dataclass(frozen=True, slots=True)
class Job:
    """`run` processes what is due and returns how many items it processed; it is
    called again `every_seconds` after it ended, or when the bell rings. With `calms` it is called less often while no
    job has anything to do: nobody waits for what it does without an event before."""

    name: str
    every_seconds: float
    run: Callable[[Context], Awaitable[int]]
    bell: Bell | None = None
    calms: bool = False


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
