"""The connections of a process: opened when needed, at most so many, and replaced when lost."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from api.kernel.connection import Connection


class NoConnection(psycopg.OperationalError):
    """No connection became free in time: every one of them is busy."""


class Pool:
    """At most `size` connections. Whoever waits longer than `timeout` seconds for one gets NoConnection.

    A connection is opened by the task that needs it, which therefore hears at once that the server refuses. The one
    used last is used next, so that few stay busy.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int, timeout: float) -> None:
        self._connect = connect
        self._free = size
        self._timeout = timeout
        self._idle: list[Connection] = []
        # A place is a connection, or None: the right to open one.
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one block. Raises: NoConnection; psycopg.OperationalError when it cannot be opened."""
        connection = await self.take()
        try:
            yield connection
        finally:
            self.give(connection)

    async def take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.answers():
                return connection
            self._discard(connection)
        if self._free:
            self._free -= 1
            return await self._open()
        return await self._wait() or await self._open()

    def give(self, connection: Connection) -> None:
        if connection.lost or connection.in_transaction or self._closed:
            self._discard(connection)
        elif not self._pass_on(connection):
            self._idle.append(connection)

    async def close(self) -> None:
        """Close the idle connections; the others are closed when they are given back."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop())
        while self._ending:
            await asyncio.wait(self._ending)

    async def _open(self) -> Connection:
        """A new connection in a place that was taken for it."""
        try:
            return await self._connect()
        except BaseException:
            self._vacate()
            raise

    async def _wait(self) -> Connection | None:
        loop = asyncio.get_running_loop()
        place: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(place)
        late = loop.call_later(self._timeout, _expire, place, self._timeout)
        try:
            return await place
        except asyncio.CancelledError:
            # Cancelled after it was given a place, before it woke up.
            if place.done() and not place.cancelled() and place.exception() is None:
                connection = place.result()
                if connection is None:
                    self._vacate()
                else:
                    self.give(connection)
            raise
        finally:
            late.cancel()

    def _discard(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        self._vacate()

    def _vacate(self) -> None:
        if not self._pass_on(None):
            self._free += 1

    def _pass_on(self, place: Connection | None) -> bool:
        """Give the place to the one that waits longest; False when nobody does."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(place)
                return True
        return False


def _expire(place: "asyncio.Future[Connection | None]", seconds: float) -> None:
    if not place.done():
        place.set_exception(NoConnection(f"no connection became free within {seconds:g} seconds"))
