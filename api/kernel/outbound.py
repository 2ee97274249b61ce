"""HTTP calls to external systems: a deadline, few retries with jitter, a
circuit breaker, a size limit, no redirects."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import httpx
import orjson

from api.kernel import clock

MAX_RETRIES = 2
MAX_ANSWER_BYTES = 256 * 1024
RETRYABLE_STATUS = frozenset({429, 502, 503, 504})
WINDOW, OPEN_AT, PROBE_SECONDS = 20, 0.5, 10.0


class Unreachable(Exception):
    """No usable answer: the partner may or may not have carried out the request.

    Repeat it, or undo it, with the same key.
    """


class Breaker:
    """A circuit breaker.

    It opens when at least half of the last 20 calls failed; then it admits one probe
    every 10 s, and a successful probe closes it.
    """

    def __init__(self) -> None:
        self._outcomes: deque[bool] = deque(maxlen=WINDOW)
        self._next_probe: float | None = None

    @property
    def is_open(self) -> bool:
        return self._next_probe is not None

    def admit(self) -> bool:
        """Whether a call may be made now; while the breaker is open, the call that is admitted is the probe."""
        if self._next_probe is None:
            return True
        if clock.monotonic() < self._next_probe:
            return False
        self._next_probe = clock.monotonic() + PROBE_SECONDS
        return True

    def record(self, ok: bool) -> None:
        """Count one call's outcome."""
        if self._next_probe is not None:
            if ok:
                self._next_probe = None
                self._outcomes.clear()
            return
        self._outcomes.append(ok)
        if len(self._outcomes) == WINDOW and self._outcomes.count(False) >= WINDOW * OPEN_AT:
            self._next_probe = clock.monotonic() + PROBE_SECONDS


# One breaker per partner, for the lifetime of the process's client.
_breakers: WeakKeyDictionary[httpx.AsyncClient, dict[str, Breaker]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer: any status below 500 that is not 429."""

    status: int
    body: dict[str, Any]  # Any: the partner's JSON


@dataclass(frozen=True, slots=True)
class OutboundClient:
    """The client of one partner. Use it only for calls that are safe to repeat: every POST has its own key."""

    http: httpx.AsyncClient
    name: str
    base_url: str
    headers: dict[str, str]
    timeout_seconds: float

    @property
    def breaker(self) -> Breaker:
        return _breakers.setdefault(self.http, {}).setdefault(self.name, Breaker())

    async def post(self, path: str, body: dict[str, object]) -> Answer:
        """POST JSON, at most MAX_RETRIES repeats.

        Raises: Unreachable when the breaker is open or no attempt got a definite answer.
        """
        failure = "the breaker is open"
        for attempt in range(MAX_RETRIES + 1):
            if not self.breaker.admit():
                break
            if attempt:
                await asyncio.sleep(random.uniform(0.02, 0.1 * 2**attempt))  # noqa: S311 - jitter, not a secret
            try:
                answer = await self._once(path, body)
            except (httpx.HTTPError, TimeoutError, orjson.JSONDecodeError) as error:
                self.breaker.record(ok=False)
                failure = type(error).__name__
                continue
            if answer.status >= 500 or answer.status in RETRYABLE_STATUS:
                self.breaker.record(ok=False)
                failure = f"status {answer.status}"
                continue
            self.breaker.record(ok=True)
            return answer
        raise Unreachable(f"{self.name}: {failure}")

    async def _once(self, path: str, body: dict[str, object]) -> Answer:
        content = orjson.dumps(body, default=str)
        headers = {**self.headers, "Content-Type": "application/json"}
        async with (
            asyncio.timeout(self.timeout_seconds),
            self.http.stream(
                "POST", self.base_url + path, content=content, headers=headers, follow_redirects=False
            ) as response,
        ):
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError("the answer is over the size limit")
            parsed = orjson.loads(bytes(received)) if received else {}
            return Answer(response.status_code, parsed if isinstance(parsed, dict) else {"value": parsed})
