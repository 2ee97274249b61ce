"""The middleware of every request: trace id, size limit, compression, security headers, metrics, one log line."""

import re
import secrets
from collections import Counter as Tally
from collections.abc import Callable
from uuid import UUID

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.kernel import clock, metrics
from api.kernel.body_limits import Allowed
from api.kernel.compression import Compression
from api.kernel.errors import BodyTooLarge, MalformedRequest, Problem, TooManyRequests, Unavailable
from api.kernel.guests import headers_of
from api.kernel.logs import trace_id
from api.kernel.problems import render, unexpected
from api.kernel.request_log import RequestLog

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

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        *,
        log: RequestLog | None = None,
        longest: Callable[[Scope], Allowed] | None = None,
        long_bodies: int = 1,
        long_bodies_each: int = 1,
    ) -> None:
        """Without a log no lines are written. `longest`: the limit of a request, which is asked for what is
        over the limit of all others; of such bodies so many are taken at a time, and so many of each sender."""
        self.app = app
        self.max_body_bytes = max_body_bytes
        self._log = log
        self._longest = longest
        self._long = _Places(long_bodies, long_bodies_each)
        # Finding the counters by their labels costs as much as counting. Statuses and templates are few.
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        parent = headers.get(b"traceparent")
        match = _TRACEPARENT.fullmatch(parent) if parent else None
        trace = match.group(1).decode() if match else secrets.token_hex(16)
        token = trace_id.set(trace)
        started = clock.monotonic()
        answer = _Answer(send, scope, trace, headers.get(b"accept-encoding", b""))
        try:
            length = headers.get(b"content-length")
            if length is None:
                # A body without a length comes in chunks; without both headers there is none.
                if b"transfer-encoding" in headers:
                    await self._counted(scope, receive, answer)
                else:
                    await self._answered(scope, receive, answer)
            elif not length.isdigit():
                await _refuse(MalformedRequest("Content-Length must be a number."), scope, receive, answer)
            elif int(length) > self.max_body_bytes:
                await self._answered_long(int(length), scope, receive, answer)
            else:
                await self._answered(scope, receive, answer)
        finally:
            seconds = clock.monotonic() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            self._count(scope["method"], route, answer.status, seconds)
            if self._log is not None:
                self._log.write(scope["method"], route, answer.status, seconds, trace)
            trace_id.reset(token)

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:
            # Starlette would answer outside this middleware, without trace id and headers.
            failure = unexpected(error)
            if answer.begun:
                raise
            await _refuse(failure, scope, receive, answer)

    async def _answered_long(self, length: int, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """A body over the usual limit, which is in memory until it is answered, is taken when few others are."""
        allowed = self._allowed(scope)
        if length > allowed.most:
            await _refuse(_too_large(allowed.most), scope, receive, answer)
        elif (refused := self._long.take(allowed.sender)) is not None:
            await _refuse(refused, scope, receive, answer)
        else:
            try:
                await self._answered(scope, receive, answer)
            finally:
                self._long.give(allowed.sender)

    async def _counted(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Count the body as it arrives, for callers that state no length.

        FastAPI turns every exception while a body is read into a 400, so the refusal replaces that response.
        """
        body, told = _Body(receive, self._allowed(scope), self.max_body_bytes, self._long), False

        async def watching_send(message: Message) -> None:
            nonlocal told
            if body.refused is not None and not answer.begun and not told:
                told = True
                await _refuse(body.refused, scope, receive, answer)
            if not told:
                await answer.send(message)

        try:
            await self.app(scope, body.receive, watching_send)
        except Exception as error:
            failure = body.refused or unexpected(error)
            if not answer.begun:
                await _refuse(failure, scope, receive, answer)
            elif body.refused is None:
                raise
        finally:
            body.end()

    def _allowed(self, scope: Scope) -> Allowed:
        return Allowed(self.max_body_bytes) if self._longest is None else self._longest(scope)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        counters = self._counters.get(key)
        if counters is None:
            counters = (metrics.REQUESTS.labels(method, route, status), metrics.LATENCY.labels(method, route))
            self._counters[key] = counters
        counters[0].inc()
        counters[1].observe(seconds)


class _Places:
    """Room for so many long bodies, and for so many of each sender."""

    def __init__(self, most: int, each: int) -> None:
        self._most, self._each = most, each
        self._taken: Tally[UUID | None] = Tally()

    def take(self, sender: UUID | None) -> Problem | None:
        """Take a place; returns why there is none."""
        if self._taken[sender] >= self._each:
            return TooManyRequests("Other long bodies of yours are being read: send it after them.", retry_after=2)
        if self._taken.total() >= self._most:
            return Unavailable("Other long bodies are being read: send it again.", retry_after=2)
        self._taken[sender] += 1
        return None

    def give(self, sender: UUID | None) -> None:
        self._taken[sender] -= 1
        self._taken += Tally()  # forgets who has none


class _Body:
    """A body without a stated length, as it arrives. It takes a place when it gets longer than `usual`; `refused`: why
    it is not read on."""

    def __init__(self, receive: Receive, allowed: Allowed, usual: int, places: _Places) -> None:
        self._receive, self._allowed, self._usual, self._places = receive, allowed, usual, places
        self._bytes, self._long = 0, False
        self.refused: Problem | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._allowed.most:
            self.refused = _too_large(self._allowed.most)
        elif self._bytes > self._usual and not self._long and self.refused is None:
            self.refused = self._places.take(self._allowed.sender)
            self._long = self.refused is None
        if self.refused is not None:
            raise self.refused
        return message

    def end(self) -> None:
        """Make room for another."""
        if self._long:
            self._places.give(self._allowed.sender)


class _Answer:
    """What is sent for one request: with our headers, and compressed where that pays."""

    __slots__ = ("_compression", "_scope", "_send", "_trace", "begun", "status")

    def __init__(self, send: Send, scope: Scope, trace: str, accepted: bytes) -> None:
        self._send = send
        self._scope = scope
        self._trace = trace
        self._compression = Compression(accepted)
        self.begun = False
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *headers_of(self._scope),
                *_SECURITY_HEADERS,
                (b"x-trace-id", self._trace.encode()),
            ]
            if self._compression.holds(message):
                return
        elif (start := self._compression.start) is not None:
            await self._compression.compress(message)
            await self._send(start)
        await self._send(message)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, answer: _Answer) -> None:
    await render(problem, scope["path"])(scope, receive, answer.send)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"Send at most {limit:,} bytes.")
