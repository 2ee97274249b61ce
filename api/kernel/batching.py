"""Group commit in one process: what waits while a statement runs is executed together by the next statement.

An item that comes alone starts at once, and a batch is what came while another ran, or in the same turn of the event
loop: the answers of one statement go out together, so their clients' next requests come together too, and one that went
ahead alone would make all others wait for it. Only in a crowd, when many more items are known to be on their way, a
batch waits a little for them, as commit_delay and commit_siblings do in Postgres: one statement for ten items costs a
fraction of ten statements. Items with a common key (rows that they lock) never run
in two statements at the same time, and never overtake each other: a later item of a key starts with an earlier one or
after it. So an item of a busy key waits at most until the earlier ones have gone, and other items pass it by. A
statement that runs for long, because it waits for a lock, does not hold up those that want other keys: the next batch
starts next to it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket(Generic[T, R]):
    """An item, the keys that it needs for itself, and where its result goes."""

    item: T
    keys: frozenset[Hashable]
    since: float
    result: "asyncio.Future[R]"


class Batches(Generic[T, R]):
    """One queue of items for one kind of statement.

    `execute` gets items, the earliest first, at most `size`, and returns one result for each. It runs once at a time,
    and again when it has run for `patience` seconds, at most `running` times at once. When it raises and `divisible`
    says that nothing was done, each item of the batch is executed alone, so that one wrong item fails alone. `apart`:
    items with a common key do not share a statement either.

    `coming` tells how many items are under way, those that wait here included; without it, as many as the batch before
    had. While at least `crowd` of them are not here yet, a batch waits for them until its earliest item has waited for
    `pause` seconds.
    """

    def __init__(
        self,
        execute: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        keys: Callable[[T], Collection[Hashable]],
        divisible: Callable[[Exception], bool],
        size: int,
        apart: bool = False,
        patience: float = 0.05,
        running: int = 4,
        pause: float = 0.0,
        crowd: int = 5,
        coming: Callable[[], int] | None = None,
    ) -> None:
        self._execute = execute
        self._keys = keys
        self._divisible = divisible
        self._size, self._apart, self._patience, self._running = size, apart, patience, running
        self._before = 0  # how many the latest batch had
        self._pause, self._crowd, self._coming = pause, crowd, coming or (lambda: self._before)
        self._paused: asyncio.TimerHandle | None = None
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._busy: set[Hashable] = set()
        self._tasks: set[asyncio.Task[None] | None] = set()  # the loop itself keeps no task alive
        self._number = 0  # of the latest batch
        self._holding = 0  # the batch that keeps the next one from starting; 0: none

    async def submit(self, item: T) -> R:
        """The result of `item`. Raises: what `execute` raised for it.

        A caller that is cancelled leaves the queue; an item that runs already is not undone.
        """
        loop = asyncio.get_running_loop()
        ticket: _Ticket[T, R] = _Ticket(item, frozenset(self._keys(item)), loop.time(), loop.create_future())
        self._waiting.append(ticket)
        self._start()
        return await ticket.result

    def _start(self) -> None:
        """Begin a batch if one may run now. What it takes waits at the end of this turn of the loop."""
        if self._waiting and not self._holding and len(self._tasks) < self._running and not self._pauses():
            self._number += 1
            self._holding = self._number
            self._tasks.add(asyncio.create_task(self._run(self._number)))

    def _pauses(self) -> bool:
        """Whether those that wait should wait for more; then they start later by themselves."""
        if self._coming() - len(self._waiting) < self._crowd or not 0 < len(self._waiting) < self._size:
            return False
        loop = asyncio.get_running_loop()
        left = self._waiting[0].since + self._pause - loop.time()
        if left <= 0:
            return False
        if self._paused is None:
            self._paused = loop.call_later(left, self._go_on)
        return True

    def _go_on(self) -> None:
        self._paused = None
        self._start()

    def _let_go(self, number: int) -> None:
        """The batch no longer keeps the next one from starting."""
        if self._holding == number:
            self._holding = 0

    def _overtake(self, number: int) -> None:
        """The batch has run for long."""
        self._let_go(number)
        self._start()

    def _next(self) -> list[_Ticket[T, R]]:
        """Take the earliest items whose keys are neither running nor wanted by an earlier item that stays."""
        batch: list[_Ticket[T, R]] = []
        stays: deque[_Ticket[T, R]] = deque()
        held = set(self._busy)
        for ticket in self._waiting:
            if ticket.result.done():
                continue
            if len(batch) < self._size and held.isdisjoint(ticket.keys):
                batch.append(ticket)
                if self._apart:
                    held.update(ticket.keys)
            else:
                stays.append(ticket)
                held.update(ticket.keys)
        self._waiting = stays
        return batch

    async def _run(self, number: int) -> None:
        batch = self._next()
        if not batch:  # all that waits has left, or wants busy keys
            self._tasks.discard(asyncio.current_task())
            self._let_go(number)
            return
        self._before = len(batch)
        self._busy.update(*(ticket.keys for ticket in batch))
        patience = asyncio.get_running_loop().call_later(self._patience, self._overtake, number)
        outcomes: Sequence[R | _Failed] | None = None
        try:
            outcomes = await self._outcomes(batch)
        finally:
            patience.cancel()
            self._tasks.discard(asyncio.current_task())
            self._busy.difference_update(*(ticket.keys for ticket in batch))
            self._let_go(number)
            # The next statement is on its way before those of this one go on, so that the server and they work at the
            # same time.
            self._start()
            _hand_out(batch, outcomes)

    async def _outcomes(self, batch: Sequence[_Ticket[T, R]]) -> "Sequence[R | _Failed]":
        """What became of each item of the batch."""
        try:
            return await self._execute([ticket.item for ticket in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait
            if len(batch) > 1 and self._divisible(error):
                alone = await asyncio.gather(*(self._outcomes([ticket]) for ticket in batch))
                return [outcome for outcomes in alone for outcome in outcomes]
            return [_Failed(error) for _ in batch]


@dataclass(frozen=True, slots=True)
class _Failed:
    """What became of an item whose statement raised."""

    error: Exception


def _hand_out(batch: "Sequence[_Ticket[T, R]]", outcomes: "Sequence[R | _Failed] | None") -> None:
    """Give each item's waiter its result or its failure; without outcomes, when the process ends, nobody has one."""
    try:
        for ticket, outcome in zip(batch, outcomes or (), strict=outcomes is not None):
            if ticket.result.done():
                continue
            if isinstance(outcome, _Failed):
                ticket.result.set_exception(outcome.error)
            else:
                ticket.result.set_result(outcome)
    finally:
        for ticket in batch:
            ticket.result.cancel()  # nothing to one that has its outcome
