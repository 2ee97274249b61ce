"""One connection to Redis for the commands of hot paths: they are written as they come and answered in order.

The client of redis-py takes several times as long for a command as Redis does; everything else uses it.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from api.kernel import clock

Reply = Any  # Any: bytes, int, None or a list of them
Word = bytes | str | int


class RedisLink:
    """Connects at the first command, and again after the connection broke. A command may have run when it raises."""

    def __init__(self, url: str, seconds: float) -> None:
        """`seconds`: how long a command, or connecting, may take."""
        self._address = parse_url(url)
        self._seconds = seconds
        self._open: _Connection | None = None
        self._opening: asyncio.Task[_Connection] | None = None

    async def call(self, *words: Word) -> Reply:
        """One command. Raises: Disconnected, NoAnswer, ResponseError."""
        return await (await self._ready()).send(words)

    async def calls(self, *commands: Sequence[Word]) -> list[Reply]:
        """Several commands in one round trip; they are no transaction. Raises: as `call`, for the first that fails."""
        connection = await self._ready()
        answers = [connection.send(words) for words in commands]
        replies = await asyncio.gather(*answers, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        return replies

    async def script(self, digest: str, text: str, *words: Word) -> Reply:
        """Run a script by its SHA-1 `digest`, which Redis forgets when it starts again. Raises: as `call`."""
        try:
            return await self.call("EVALSHA", digest, *words)
        except ResponseError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await self.call("EVAL", text, *words)

    async def close(self) -> None:
        if self._open is not None:
            self._open.abort(Disconnected("the link to Redis is closed"))

    async def _ready(self) -> "_Connection":
        if self._open is not None and not self._open.broken:
            return self._open
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> "_Connection":
        address = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds):
                if "path" in address:
                    _, connection = await loop.create_unix_connection(
                        lambda: _Connection(self._seconds), address["path"]
                    )
                else:
                    _, connection = await loop.create_connection(
                        lambda: _Connection(self._seconds),
                        address.get("host", "localhost"),
                        address.get("port", 6379),
                        ssl="connection_class" in address or None,
                    )
        except TimeoutError:
            raise NoAnswer("connecting to Redis takes too long") from None
        except OSError as error:
            raise Disconnected(str(error)) from error
        try:
            if address.get("password"):
                user = [address["username"]] if address.get("username") else []
                await connection.send(("AUTH", *user, address["password"]))
            if address.get("db"):
                await connection.send(("SELECT", address["db"]))
        except RedisError:
            connection.abort(Disconnected("Redis refuses the connection"))
            raise
        self._open = connection
        return connection


class _Connection(asyncio.Protocol):
    """Commands in flight, oldest first. One timer watches the oldest."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reader = hiredis.Reader(replyError=ResponseError)
        self._waiting: deque[tuple[float, asyncio.Future[Reply]]] = deque()
        self._transport: asyncio.WriteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.broken = False

    def send(self, words: Sequence[Word]) -> "asyncio.Future[Reply]":
        """Write a command; its answer comes later."""
        if self.broken or self._transport is None:
            raise Disconnected("the connection to Redis is lost")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((clock.monotonic(), answer))
        self._transport.write(hiredis.pack_command(tuple(words)))  # type: ignore[arg-type]  # its stub asks for a tuple of one type
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)
        return answer

    def abort(self, error: Exception) -> None:
        """Fail what waits: its answers cannot be told from later ones."""
        self.broken = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            _, answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no class of asyncio

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort(Disconnected(str(exc or "Redis closed the connection")))

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                _, answer = self._waiting.popleft()
                if answer.done():
                    continue  # whoever asked has left
                if isinstance(reply, ResponseError):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.abort(Disconnected(f"Redis answers in no known way: {error}"))

    def _look(self) -> None:
        """Give up when the oldest command has waited for too long; otherwise look again when it would have."""
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0][0] + self._seconds - clock.monotonic()
        if left <= 0:
            self.abort(NoAnswer("Redis does not answer"))
        else:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
