"""One log line for each request, as `logs` writes lines, at a small part of the cost.

The fields are fixed, so there is nothing to redact. Lines are collected for a moment and written together by a thread:
a disk or a pipe that stalls does not hold the requests. What is collected when a process is killed is lost; lines of
other events are written at once.
"""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import orjson

from api.kernel import clock
from api.kernel.logs import Forgiving

FLUSH_SECONDS = 0.05
# A writer that stalls for longer costs lines, not memory.
MAX_WAITING = 20_000
# What a pipe takes without mixing it with the lines of other processes.
ATOMIC_BYTES = 4_096
# The module that says it.
MODULE = "api.kernel.middleware"
_FORMAT = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class RequestLog:
    """The waiting lines of a process."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._lost = 0
        self._scheduled = False
        self._writing: Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="request-log")
        self._stderr = Forgiving()

    def write(self, method: str, route: str, status: int, seconds: float, trace: str) -> None:
        """Say that a request was answered; call it on the event loop."""
        if len(self._waiting) >= MAX_WAITING:
            self._lost += 1
            return
        self._waiting.append(
            _line(
                "request", "info", method=method, route=route, status=status, ms=round(seconds * 1000, 2), trace=trace
            )
        )
        if not self._scheduled:
            self._schedule()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._start_writing()
        self._writer.shutdown()

    def _schedule(self) -> None:
        self._scheduled = True
        asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self._writing is not None and not self._writing.done():
            self._schedule()
        else:
            self._start_writing()

    def _start_writing(self) -> None:
        lines, self._waiting = self._waiting, []
        if self._lost:
            lines.append(_line("request lines lost", "warning", count=self._lost))
            self._lost = 0
        if lines:
            self._writing = self._writer.submit(self._write, lines)

    def _write(self, lines: list[bytes]) -> None:
        """In the thread. Whole lines, as many at a time as are written in one piece."""
        piece: list[bytes] = []
        size = 0
        for line in lines:
            if piece and size + len(line) > ATOMIC_BYTES:
                self._stderr.write(b"".join(piece).decode())
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        self._stderr.write(b"".join(piece).decode())


def _line(event: str, level: str, *, trace: str | None = None, **fields: object) -> bytes:
    named: dict[str, object] = {
        "module": MODULE,
        **fields,
        "event": event,
        "level": level,
        "timestamp": clock.now(),
    }
    if trace is not None:
        named["traceId"] = trace
    return orjson.dumps(named, option=_FORMAT)
