"""What nobody foresaw: answered inside the frame, without detail, with the request's trace id. Long bodies: few at a
time, and fewer of one sender."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Scope

from api.kernel import problems
from api.kernel.body_limits import Allowed
from api.kernel.middleware import RequestMiddleware


async def test_an_unforeseen_error_is_a_500_that_tells_nothing_but_its_trace() -> None:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(RequestMiddleware, max_body_bytes=100)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("secret-of-the-house")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/boom")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert body["traceId"] == answer.headers["x-trace-id"]
    assert len(body["traceId"]) == 32
    assert body["type"] == "/problems/internal-error"
    assert "secret" not in answer.text


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body without a length."""
    for _ in range(size // 50):
        yield b"x" * 50


def sender_of(scope: Scope) -> Allowed:
    """Bodies of up to 1,000 bytes, by the sender that a header names."""
    (number,) = [value for name, value in scope["headers"] if name == b"x-sender"]
    return Allowed(1_000, UUID(int=int(number)))


class Reader:
    """An application that reads bodies; the long ones, over 100 bytes, are answered when `enough` says so."""

    def __init__(self, *, chunked: bool, places: int, each: int) -> None:
        self._app, self._chunked, self.enough, self._read = FastAPI(), chunked, asyncio.Event(), asyncio.Semaphore(0)
        problems.install(self._app)
        self._app.add_middleware(
            RequestMiddleware, max_body_bytes=100, longest=sender_of, long_bodies=places, long_bodies_each=each
        )
        self._app.add_api_route("/body", self._answer, methods=["POST"])

    async def _answer(self, request: Request) -> int:
        size = len(await request.body())
        if size > 100:
            self._read.release()
            await self.enough.wait()
        return size

    async def post(self, size: int, sender: int = 1) -> httpx.Response:
        content = pieces(size) if self._chunked else b"x" * size
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://test") as client:
            return await client.post("/body", content=content, headers={"X-Sender": str(sender)})

    async def held(self, *posts: tuple[int, int]) -> list[asyncio.Task[httpx.Response]]:
        """Bodies of (size, sender) that wait for their answers."""
        tasks = [asyncio.create_task(self.post(*one)) for one in posts]
        async with asyncio.timeout(30):
            for _ in posts:
                await self._read.acquire()
        return tasks


@pytest.mark.parametrize("chunked", [False, True])
async def test_only_so_many_long_bodies_are_taken_at_a_time(chunked: bool) -> None:
    app = Reader(chunked=chunked, places=2, each=2)

    first = await app.held((500, 1), (1_000, 2))
    refused, short, too_long = await app.post(500, 3), await app.post(100, 3), await app.post(1_050, 3)
    app.enough.set()
    answers = [await one for one in first]
    later = [await app.post(500) for _ in range(3)]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["type"] == "/problems/unavailable"
    assert (short.status_code, short.json()) == (200, 100)
    # Without a length it is not known to be too long when the places are taken.
    assert too_long.status_code == (503 if chunked else 413)
    assert [(one.status_code, one.json()) for one in answers] == [(200, 500), (200, 1_000)]
    assert [one.status_code for one in later] == [200] * 3


@pytest.mark.parametrize("chunked", [False, True])
async def test_one_sender_does_not_take_all_places(chunked: bool) -> None:
    app = Reader(chunked=chunked, places=4, each=2)

    first = await app.held((500, 1), (500, 1))
    refused = await app.post(500, 1)
    others = await app.held((500, 2), (500, 3))
    full = await app.post(500, 4)
    app.enough.set()
    answers = [await one for one in first + others]

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert full.status_code == 503
    assert [one.status_code for one in answers] == [200] * 4
    assert (await app.post(500, 1)).status_code == 200


async def test_without_a_limit_of_its_own_one_sender_takes_all_places() -> None:
    app = Reader(chunked=False, places=4, each=4)

    first = await app.held(*[(500, 1)] * 4)
    other = await app.post(500, 2)
    app.enough.set()

    assert other.status_code == 503
    assert [(await one).status_code for one in first] == [200] * 4
