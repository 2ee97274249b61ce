"""Deadlines, retries, limits and the breaker, against a partner on a socket."""

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from api.kernel import clock, outbound
from api.kernel.outbound import MAX_ANSWER_BYTES, OutboundClient, Unreachable, open_session
from tests.harness.ports import free_port

DEADLINE, SHORT_DEADLINE = 5.0, 0.1


def reply(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} Said", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Partner:
    """A server that answers as `answers` says, in order, the last one for ever. b"": it never answers.

    `heads`: the head of each request; `opened`, `open`: its connections, and those not closed yet.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[object] = []
        self.opened = self.open = self.sent = 0
        self.idle = asyncio.Event()

    @property
    def calls(self) -> int:
        return len(self.heads)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        self.idle.clear()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                self.bodies.append(json.loads(await reader.readexactly(length)))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                for start in range(0, len(answer), 65_536):
                    writer.write(answer[start : start + 65_536])
                    await writer.drain()
                    self.sent += 65_536
        writer.close()
        self.open -= 1
        if not self.open:
            self.idle.set()

    async def closed(self) -> None:
        """Wait until every connection is closed. Raises TimeoutError."""
        async with asyncio.timeout(2):
            await self.idle.wait()


@asynccontextmanager
async def serving(*answers: bytes, deadline: float = DEADLINE) -> AsyncIterator[tuple[Partner, OutboundClient]]:
    """A partner and its client."""
    partner = Partner(*answers)
    server = await asyncio.start_server(partner.talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, open_session() as session:
        yield partner, OutboundClient(session, "partner", url, {"Authorization": "Bearer x"}, deadline)
        await session.close()
        await partner.closed()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)


async def test_a_passing_failure_is_repeated_at_most_twice() -> None:
    async with serving(reply(503), reply(502), reply(201, b'{"made": 1}')) as (partner, client):
        answer = await client.post("/v1/x", {"key": "k"})
        assert (answer.status, answer.body) == (201, {"made": 1})
        assert partner.calls == 3
        assert partner.bodies == [{"key": "k"}] * 3
    async with serving(reply(503)) as (partner, client):
        with pytest.raises(Unreachable, match="partner: status 503"):
            await client.post("/v1/x", {"key": "k"})
        assert partner.calls == 3


@pytest.mark.parametrize("status", [200, 301, 402, 409, 422])
async def test_a_definite_answer_is_not_repeated_and_a_redirect_is_not_followed(status: int) -> None:
    async with serving(reply(status, b"{}", "Location: /elsewhere")) as (partner, client):
        assert (await client.post("/v1/x", {"key": "k"})).status == status
        assert partner.calls == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_flood_is_not_read(chunked: bool) -> None:
    flood = b"x" * (40 * MAX_ANSWER_BYTES)
    answer = reply(200, flood)
    if chunked:
        answer = b"HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(flood), flood)
    async with serving(answer) as (partner, client):
        with pytest.raises(Unreachable, match="AnswerTooLarge"):
            await client.post("/v1/x", {})
        await partner.closed()
        assert partner.sent < 1.5 * len(flood), "three attempts, and none was read to its end"


async def test_an_answer_of_the_greatest_size_is_read() -> None:
    body = json.dumps("x" * (MAX_ANSWER_BYTES - 2)).encode()
    async with serving(reply(200, body)) as (_, client):
        assert len(str((await client.post("/v1/x", {})).body["value"])) == MAX_ANSWER_BYTES - 2


async def test_a_packed_answer_is_not_asked_for_and_not_unpacked() -> None:
    async with serving(reply(200, gzip.compress(b"{}"), "Content-Encoding: gzip")) as (partner, client):
        with pytest.raises(Unreachable, match="JSONDecodeError"):
            await client.post("/v1/x", {})
        assert "accept-encoding: identity\r\n" in partner.heads[0].lower()


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 Said\r\nContent-Length: 2\r\n\r\n{"])
async def test_a_partner_that_stalls_is_given_up_at_the_deadline_and_its_connection_is_closed(begun: bytes) -> None:
    async with serving(begun, deadline=SHORT_DEADLINE) as (partner, client):
        started = time.monotonic()
        with pytest.raises(Unreachable, match="TimeoutError"):
            await client.post("/v1/x", {})
        assert 3 * SHORT_DEADLINE <= time.monotonic() - started < 3 * SHORT_DEADLINE + 1
        assert partner.calls == partner.opened == 3
        await partner.closed()


async def test_nobody_there_is_unreachable() -> None:
    async with open_session() as session:
        client = OutboundClient(session, "partner", f"http://127.0.0.1:{free_port()}", {}, DEADLINE)
        with pytest.raises(Unreachable, match="ClientConnectorError"):
            await client.post("/v1/x", {})


async def test_connections_are_used_again_and_one_that_the_partner_closed_is_not() -> None:
    async with serving(*[reply(200)] * 9, reply(200, b"{}", "Connection: close"), reply(200)) as (partner, client):
        for _ in range(10):
            await client.post("/v1/x", {})
        assert partner.opened == 1
        await client.post("/v1/x", {})
        assert (partner.calls, partner.opened) == (11, 2)


async def test_the_environment_names_no_proxy_and_cookies_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with serving(reply(200, b"{}", "Set-Cookie: a=b; Path=/")) as (partner, client):
        for _ in range(2):
            assert (await client.post("/v1/x", {})).status == 200
        assert [("cookie" in head.lower(), "authorization: bearer x" in head.lower()) for head in partner.heads] == [
            (False, True)
        ] * 2


async def test_the_breaker_opens_and_one_probe_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    async with serving(reply(503)) as (answers, partner):
        for _ in range(7):
            with pytest.raises(Unreachable):
                await partner.post("/v1/x", {})
        assert partner.breaker.is_open
        assert answers.calls == outbound.WINDOW
        with pytest.raises(Unreachable, match="breaker"):
            await partner.post("/v1/x", {})
        assert answers.calls == outbound.WINDOW, "while it is open nothing goes out"
        now += outbound.PROBE_SECONDS
        with pytest.raises(Unreachable):
            await partner.post("/v1/x", {})
        assert answers.calls == outbound.WINDOW + 1, "one probe, and it failed"
        answers.answers = [reply(200)]
        now += outbound.PROBE_SECONDS
        assert (await partner.post("/v1/x", {})).status == 200
        assert not partner.breaker.is_open
