"""`python -m tests.benchmarks.support.steps`: an ASGI application without a framework, and FastAPI's smallest route,
on the shop's server: the first two steps of the ladder."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from api.__main__ import serve
from api.kernel.settings import load_settings

BODY = b'{"status":"live"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


def create_app() -> ASGIApp:
    """/bare is answered without a framework, everything else by FastAPI."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    async def steps(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/bare":
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": BODY})
        else:
            await app(scope, receive, send)

    return steps


if __name__ == "__main__":
    serve(load_settings(), "tests.benchmarks.support.steps:create_app")
