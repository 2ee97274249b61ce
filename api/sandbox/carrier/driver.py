"""Drives the parcels: sends each scan to the shop, signed, until it is taken; and lets parcels move by themselves."""

import asyncio
import hmac
from datetime import timedelta

import aiohttp
import structlog
from starlette.concurrency import run_in_threadpool

from api.kernel import clock
from api.sandbox.carrier.book import Book
from api.sandbox.carrier.schemas import ScanEvent
from api.sandbox.settings import SandboxSettings

log = structlog.get_logger(__name__)
PATH = "/api/v1/shipping/webhooks/sandbox"
BATCH = 50
DEADLINE_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


class Driver:
    """One of a process; `run` works until it is cancelled, and sleeps while there is nothing to send or to move."""

    def __init__(self, book: Book, settings: SandboxSettings) -> None:
        self._book = book
        self._url = settings.api_url.rstrip("/") + PATH
        self._key = settings.sandbox_key.get_secret_value()
        self._every = timedelta(seconds=settings.sandbox_carrier_seconds)
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is a new label or scan."""
        self._news.set()

    async def run(self) -> None:
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS)) as http:
            while True:
                self._news.clear()
                wait = await self._moved()
                taken = await self._sent(http)
                pause = FIRST_PAUSE if taken else min(pause * 2, LONGEST_PAUSE)
                await self._rest(wait if taken else pause)

    async def _moved(self) -> float | None:
        """Move what is due; seconds until more is, None when nothing is on its way."""
        if not self._every:
            return None
        following = await run_in_threadpool(self._book.advance_due, self._every)
        return None if following is None else max((following - clock.now()).total_seconds(), 0.05)

    async def _rest(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _sent(self, http: aiohttp.ClientSession) -> bool:
        """Send what waits; whether nothing waits any more."""
        while events := await run_in_threadpool(self._book.waiting, BATCH):
            if not await self._taken(http, events):
                return False
            await run_in_threadpool(self._book.took, events)
        return True

    async def _taken(self, http: aiohttp.ClientSession, events: list[ScanEvent]) -> bool:
        body = message(events)
        headers = {"Content-Type": "application/json", "Souk-Signature": signature(self._key, body)}
        try:
            async with http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                if answer.status < 300:
                    return True
                log.warning("the shop does not take the scans", status=answer.status)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.info("the shop cannot be told of scans", reason=type(error).__name__)
        return False


def message(events: list[ScanEvent]) -> bytes:
    """The body of a message to the shop."""
    inner = ",".join(event.model_dump_json(by_alias=True) for event in events)
    return f'{{"events":[{inner}]}}'.encode()


def signature(key: str, body: bytes) -> str:
    """The header that proves the message to be ours, with the time of sending."""
    seconds = int(clock.now().timestamp())
    secret = hmac.digest(key.encode(), b"shipping webhook", "sha256")
    return f"t={seconds},v1={hmac.digest(secret, b'%d.' % seconds + body, 'sha256').hex()}"
