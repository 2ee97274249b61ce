"""One part of a request under its own deadline: a slow or broken part lowers quality and never fails the answer."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.metrics import DEGRADED, STAGE_SECONDS
from warehouse.logs import get_logger

T = TypeVar("T")
_log = get_logger(__name__)

_LATE_IN_A_ROW = 3
_REST_SECONDS = 2.0
_WAITING = 16


class Guard:
    """Runs calls in `threads` threads of its own and gives up on each after `seconds`.

    An abandoned call still runs to its end in its thread. After 3 failures in a row requests therefore skip the part
    for 2 s instead of queueing behind it. Calls beyond 16 in flight are skipped too.
    """

    def __init__(self, part: str, seconds: float, threads: int = 1) -> None:
        self._part = part
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=part)
        self._in_flight = 0
        self._failures = 0
        self._rests_until = 0.0

    async def call(self, work: Callable[[], T]) -> T | None:
        """The result, or None when it was late, failed or was skipped; the reason is counted."""
        if self._in_flight >= _WAITING or time.monotonic() < self._rests_until:
            DEGRADED.labels(self._part, "skipped").inc()
            return None
        started = time.perf_counter()
        self._in_flight += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._ended)
        try:
            result = await asyncio.wait_for(asyncio.shield(future), self._seconds)
        except TimeoutError:
            self._failed("late")
            return None
        except Exception as error:  # noqa: BLE001 - the answer continues without a model or store that fails
            self._failed("error")
            _log.warning("part failed", part=self._part, error=f"{type(error).__name__}: {error}")
            return None
        finally:
            STAGE_SECONDS.labels(self._part).observe(time.perf_counter() - started)
        self._failures = 0
        return result

    def close(self) -> None:
        """Let the threads end; queued calls are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._in_flight -= 1
        if not future.cancelled():
            future.exception()  # retrieved, so that Python does not report an unread exception

    def _failed(self, cause: str) -> None:
        DEGRADED.labels(self._part, cause).inc()
        self._failures += 1
        if self._failures >= _LATE_IN_A_ROW:
            self._rests_until = time.monotonic() + _REST_SECONDS
            self._failures = 0
