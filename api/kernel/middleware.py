"""The middleware of every request: trace id, size limit, security headers, metrics, one log line."""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.kernel import clock, metrics
from api.kernel.errors import BodyTooLarge, MalformedRequest
from api.kernel.logs import get_logger, trace_id
from api.kernel.problems import render, unexpected

log = get_logger(__name__)

# W3C trace context: version-traceid-parentid-flags; we keep the trace id of a caller that has one.
_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class RequestMiddleware:
    """Pure ASGI, because Starlette's class-based middleware costs a task per request."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        match = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        trace = match.group(1).decode() if match else secrets.token_hex(16)
        token = trace_id.set(trace)
        started = clock.monotonic()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_SECURITY_HEADERS, (b"x-trace-id", trace.encode())]
            await send(message)

        try:
            length = headers.get(b"content-length")
            if length is not None and not length.isdigit():
                await render(MalformedRequest("Content-Length must be a number."), scope["path"])(
                    scope, receive, send_with_headers
                )
            elif length is not None and int(length) > self.max_body_bytes:
                await render(_too_large(self.max_body_bytes), scope["path"])(scope, receive, send_with_headers)
            else:
                await self._limited(scope, receive, send_with_headers)
        finally:
            seconds = clock.monotonic() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            metrics.REQUESTS.labels(scope["method"], route, status).inc()
            metrics.LATENCY.labels(scope["method"], route).observe(seconds)
            log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 2))
            trace_id.reset(token)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it arrives, for callers that state no length.

        FastAPI turns every exception while a body is read into a 400, so the refusal replaces that response.
        """
        received = 0
        answered = refused = False

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body_bytes:
                raise _too_large(self.max_body_bytes)
            return message

        async def watching_send(message: Message) -> None:
            nonlocal answered, refused
            if received > self.max_body_bytes and not answered:
                if not refused:
                    refused = True
                    await render(_too_large(self.max_body_bytes), scope["path"])(scope, receive, send)
                return
            answered = True
            await send(message)

        try:
            await self.app(scope, counting_receive, watching_send)
        except BodyTooLarge as problem:
            if not (answered or refused):
                await render(problem, scope["path"])(scope, receive, send)
        except Exception as error:
            # Starlette would answer outside this middleware, without trace id and headers.
            failure = unexpected(error)
            if answered or refused:
                raise
            await render(failure, scope["path"])(scope, receive, send)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"Send at most {limit:,} bytes.")
