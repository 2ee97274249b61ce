"""A server for tests of servers: says which process answers; at /slow after half a second."""

import asyncio
import os

from starlette.types import ASGIApp, Receive, Scope, Send


def create_app() -> ASGIApp:
    """The application, in every worker; without a framework, so that it starts fast."""

    async def who(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for said in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{said}.complete"})
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(0.5)
        body = str(os.getpid()).encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return who
