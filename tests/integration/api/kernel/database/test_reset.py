"""A connection that is reset on its way to the server."""

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET
from typing import Self
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text

from api.kernel import connection
from api.kernel.db import ReadTx, is_unavailable
from tests.harness.database import opened

PID = text("SELECT pg_backend_pid()")
SLEEP = text("SELECT pg_sleep(:seconds)::text")


class Reset:
    """A way to the server that passes everything on, until it is told to reset the connection: what is under way is
    lost, as when the server's machine goes away."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._writers: list[asyncio.StreamWriter] = []
        self._passed = 0
        self._enough: tuple[int, asyncio.Event] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset()

    @property
    def url(self) -> str:
        here = self._server.sockets[0].getsockname()[1]
        return self._there.geturl().replace(f":{self._there.port}/", f":{here}/")

    async def passed(self, count: int) -> None:
        """Return when so many more bytes have passed."""
        enough = asyncio.Event()
        self._enough = (self._passed + count, enough)
        await enough.wait()

    def reset(self) -> None:
        for writer in self._writers:
            socket = writer.get_extra_info("socket")
            if socket.fileno() != -1:
                socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(self._there.hostname, self._there.port)
        self._writers += [writer, ours]
        await asyncio.gather(self._pass(reader, ours), self._pass(theirs, writer), return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self._passed += len(data)
            if self._enough is not None and self._passed >= self._enough[0]:
                self._enough[1].set()
            writer.write(data)
            await writer.drain()


@pytest.mark.sockets
@pytest.mark.parametrize("when", ["idle", "asleep", "in an answer", "in a transaction"])
async def test_a_reset_connection_is_heard_and_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(connection, "_WATCH_SECONDS", 0.1)

    async def work(tx: ReadTx) -> None:
        if when == "asleep":
            asyncio.get_running_loop().call_later(0.1, way.reset)
            await tx.scalar(SLEEP, {"seconds": 5})
        elif when == "in an answer":
            reading = asyncio.ensure_future(tx.all(text("SELECT repeat('x', 1000) FROM generate_series(1, 50000)")))
            await way.passed(1_000_000)
            way.reset()
            await reading
        else:
            await tx.scalar(PID)
            way.reset()
            if when == "in a transaction":
                await asyncio.sleep(0.05)
                await tx.scalar(PID)

    async with Reset(database_url) as way, opened(way.url, SOUK_DB_POOL_SIZE=1) as database:
        for _ in range(2):
            if when == "idle":
                async with database.read() as tx:
                    await asyncio.wait_for(work(tx), 5)
                await asyncio.sleep(0.05)
            else:
                with pytest.raises(psycopg.OperationalError) as lost:
                    await asyncio.wait_for(database.run(work), 5)
                assert is_unavailable(lost.value)
        async with database.read() as tx:
            assert await tx.scalar(text("SELECT 7")) == 7
