"""The consumer's status for other programs: one small JSON file, replaced atomically."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from warehouse.events.entries import Landed
from warehouse.files import replace_file

_BEAT_SECONDS = 1.0


class EventsStatus:
    """Counts since the process began. A thread renews the time and the lag between reports.

    `lagSeconds` is the age of the oldest entry that was read and is not in the lake, or the time since the stream last
    answered; 0 when everything that was sent is in the lake.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts = Landed()
        self._state, self._error = "starting", ""
        self._length: int | None = None
        self._behind_since: datetime | None = datetime.now(UTC)
        self._landed_at: datetime | None = None

    def landed(self, batch: Landed) -> None:
        """Add what became of a batch."""
        with self._lock:
            counts = self._counts
            counts.rows += batch.rows
            counts.duplicates += batch.duplicates
            counts.rejected += batch.rejected
            counts.late += batch.late
            counts.future += batch.future
            counts.reached |= batch.reached
            self._landed_at = datetime.now(UTC)

    def report(self, state: str, *, behind_since: datetime | None, length: int | None = None, error: str = "") -> None:
        """`state` is one of starting, streaming, waiting, stopped."""
        with self._lock:
            if state == "waiting" and behind_since is None:
                behind_since = self._behind_since or datetime.now(UTC)
            self._state, self._error, self._length, self._behind_since = state, error, length, behind_since
            self._write()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the file every second while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), name="events-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(_BEAT_SECONDS):
            with self._lock:
                self._write()

    def _write(self) -> None:
        now, counts, since = datetime.now(UTC), self._counts, self._behind_since
        document = {
            "pid": os.getpid(),
            "state": self._state,
            "landed": counts.rows,
            "duplicates": counts.duplicates,
            "rejected": counts.rejected,
            "late": counts.late,
            "future": counts.future,
            "positions": counts.reached,
            "streamLength": self._length,
            "lagSeconds": round(max((now - since).total_seconds(), 0.0), 3) if since else 0.0,
            "landedAt": self._landed_at.isoformat() if self._landed_at else None,
            "error": self._error or None,
            "updatedAt": now.isoformat(),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._path, json.dumps(document), durable=False)
