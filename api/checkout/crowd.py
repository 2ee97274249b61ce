"""The orders that this process is placing, and the queues in which they share their statements."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar, cast
from weakref import WeakKeyDictionary

import psycopg

from api.kernel.batching import Batches
from api.kernel.context import Context
from api.kernel.db import Database

T = TypeVar("T")
R = TypeVar("R")
# The most checkouts of one statement.
BATCH = 32
# While as many orders as CROWD are on their way to a statement, it waits for them, at most for PAUSE seconds.
PAUSE, CROWD = 0.015, 3


class _Crowd:
    """`coming`: the orders that are being placed. `queues`: one for each kind of statement."""

    def __init__(self) -> None:
        self.coming = 0
        self.queues: dict[object, object] = {}


# Of one process: its database is opened once.
_crowds: WeakKeyDictionary[Database, _Crowd] = WeakKeyDictionary()


def _crowd(ctx: Context) -> _Crowd:
    found = _crowds.get(ctx.db)
    if found is None:
        found = _crowds[ctx.db] = _Crowd()
    return found


@contextmanager
def placing(ctx: Context) -> Iterator[None]:
    """An order is being placed, so those that come to a statement before it may wait for it."""
    crowd = _crowd(ctx)
    crowd.coming += 1
    try:
        yield
    finally:
        crowd.coming -= 1


class Queue(Generic[T, R]):
    """One kind of statement; `keys` are the rows that an item locks."""

    def __init__(
        self, execute: Callable[[Sequence[T]], Awaitable[Sequence[R]]], keys: Callable[[T], Collection[Hashable]]
    ) -> None:
        self._execute = execute
        self._keys = keys

    async def submit(self, ctx: Context, item: T) -> R:
        """The result of `item`, from a statement that it shares with others of this process."""
        crowd = _crowd(ctx)
        batches = cast("Batches[T, R] | None", crowd.queues.get(self))
        if batches is None:
            batches = crowd.queues[self] = self._batches(crowd)
        return await batches.submit(item)

    def _batches(self, crowd: _Crowd) -> Batches[T, R]:
        return Batches(
            self._execute,
            keys=self._keys,
            divisible=_undone,
            size=BATCH,
            pause=PAUSE,
            crowd=CROWD,
            coming=lambda: crowd.coming,
        )


def _undone(error: Exception) -> bool:
    """Whether the server says that it did nothing. After a lost connection nobody knows."""
    return isinstance(error, psycopg.Error) and error.sqlstate is not None
