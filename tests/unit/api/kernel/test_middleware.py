"""What nobody foresaw: answered inside the frame, without detail, with the request's trace id."""

import httpx
from fastapi import FastAPI

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
