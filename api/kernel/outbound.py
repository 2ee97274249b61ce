"""HTTP calls to external systems: a deadline, few retries with jitter, a circuit breaker, a size limit, no redirects.

aiohttp carries them: a call costs a tenth of the processor time that httpx takes for it.
"""

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import orjson

from api.kernel import clock

MAX_RETRIES = 2
MAX_ANSWER_BYTES = 256 * 1024
RETRYABLE_STATUS = frozenset({429, 502, 503, 504})
WINDOW, OPEN_AT, PROBE_SECONDS = 20, 0.5, 10.0
MAX_CONNECTIONS = 100
# Shorter than the five seconds after which servers of our kind close an idle connection.
IDLE_SECONDS = 4.0
# An answer is limited as it arrives, so it is asked for as it is: nothing is unpacked.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}


class Unreachable(Exception):
    """No usable answer: the partner may or may not have carried out the request.

    Repeat it, or undo it, with the same key.
    """


class AnswerTooLarge(Exception):
    """The answer is longer than MAX_ANSWER_BYTES; the rest of it is not read."""


def open_session() -> aiohttp.ClientSession:
    """The connections of one process to its partners; call it where the event loop runs, and close it.

    No proxies and passwords of the environment, no cookies, no timeouts of its own: each call has its deadline.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
        headers={**_HEADERS, "User-Agent": "souk"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trust_env=False,
    )


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
_breakers: WeakKeyDictionary[aiohttp.ClientSession, dict[str, Breaker]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer: any status below 500 that is not 429."""

    status: int
    body: dict[str, Any]  # Any: the partner's JSON


@dataclass(frozen=True, slots=True)
class OutboundClient:
    """The client of one partner. Use it only for calls that are safe to repeat: every POST has its own key."""

    http: aiohttp.ClientSession
    name: str
    base_url: str
    headers: dict[str, str]
    timeout_seconds: float

    @property
    def breaker(self) -> Breaker:
        of_process = _breakers.setdefault(self.http, {})
        return of_process.get(self.name) or of_process.setdefault(self.name, Breaker())

    async def post(self, path: str, body: dict[str, object]) -> Answer:
        """POST JSON, at most MAX_RETRIES repeats.

        Raises: Unreachable when the breaker is open or no attempt got a definite answer.
        """
        breaker, content = self.breaker, orjson.dumps(body, default=str)
        failure = "the breaker is open"
        for attempt in range(MAX_RETRIES + 1):
            if not breaker.admit():
                break
            if attempt:
                await asyncio.sleep(random.uniform(0.02, 0.1 * 2**attempt))  # noqa: S311 - jitter, not a secret
            try:
                answer = await self._once(path, content)
            except (aiohttp.ClientError, OSError, TimeoutError, AnswerTooLarge, orjson.JSONDecodeError) as error:
                breaker.record(ok=False)
                failure = type(error).__name__
                continue
            if answer.status >= 500 or answer.status in RETRYABLE_STATUS:
                breaker.record(ok=False)
                failure = f"status {answer.status}"
                continue
            breaker.record(ok=True)
            return answer
        raise Unreachable(f"{self.name}: {failure}")

    async def _once(self, path: str, content: bytes) -> Answer:
        async with (
            asyncio.timeout(self.timeout_seconds),
            self.http.post(self.base_url + path, data=content, headers=self.headers, allow_redirects=False) as response,
        ):
            received = bytearray()
            async for chunk in response.content.iter_any():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge
            parsed = orjson.loads(received) if received else {}
            return Answer(response.status, parsed if isinstance(parsed, dict) else {"value": parsed})
