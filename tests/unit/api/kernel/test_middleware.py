"""What nobody foresaw: answered inside the frame, without detail, with the request's trace id. Long bodies: few at a
time."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from api.kernel import problems
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


@pytest.mark.parametrize("chunked", [False, True])
async def test_only_so_many_long_bodies_are_taken_at_a_time(chunked: bool) -> None:
    app, read, enough = FastAPI(), asyncio.Event(), asyncio.Event()
    problems.install(app)
    app.add_middleware(RequestMiddleware, max_body_bytes=100, longest=lambda scope: 1_000, long_bodies=2)
    taken = 0

    @app.post("/body")
    async def body(request: Request) -> int:
        nonlocal taken
        size = len(await request.body())
        if size > 100:
            taken += 1
            if taken == 2:
                read.set()
            await enough.wait()
        return size

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:

        async def post(size: int) -> httpx.Response:
            return await client.post("/body", content=pieces(size) if chunked else b"x" * size)

        first = [asyncio.create_task(post(size)) for size in (500, 1_000)]
        await read.wait()
        refused, short, too_long = await post(500), await post(100), await post(1_050)
        enough.set()
        answers = [await one for one in first]
        later = [await post(500) for _ in range(3)]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["type"] == "/problems/unavailable"
    assert (short.status_code, short.json()) == (200, 100)
    # Without a length it is not known to be too long when the places are taken.
    assert too_long.status_code == (503 if chunked else 413)
    assert [(one.status_code, one.json()) for one in answers] == [(200, 500), (200, 1_000)]
    assert [one.status_code for one in later] == [200] * 3
