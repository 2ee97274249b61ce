"""The status of the running process for other programs: one small JSON file, replaced atomically."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from warehouse.files import replace_file
from warehouse.lake.lsn import format_lsn

_BEAT_SECONDS = 0.5
# A snapshot, a large batch or a fold may delay a report; a process that has not reported for this long is stuck.
_SILENCE_SECONDS = 900.0


class StatusFile:
    """The status file of one process.

    Between reports a thread renews the time and the measurements in it: a long operation does not look like a dead
    process, and a lag grows while nothing else happens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._document: dict[str, object] = {}
        self._measured: Callable[[], Mapping[str, object]] = dict
        self._reported_at = self._written_at = 0.0

    def report(
        self,
        *,
        state: str,
        lsn: int,
        stopped: Mapping[str, str],
        error: str | None = None,
        measured: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        """`state` is one of starting, snapshot, streaming, waiting, failed, stopped.

        `measured` is asked again at each beat. Lags are None until the server has been asked. On return the file has
        the new state.
        """
        with self._lock:
            before = {**self._document, "lsn": None}
            self._document = {
                "pid": os.getpid(),
                "state": state,
                "lsn": format_lsn(lsn),
                "lagBytes": None,
                "lagSeconds": None,
                "stoppedTables": dict(stopped),
                "error": error,
            }
            self._measured = measured
            self._reported_at = time.monotonic()
            # A new position alone goes with the next beat.
            if {**self._document, "lsn": None} != before or self._reported_at - self._written_at > 2 * _BEAT_SECONDS:
                self._write()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the time every second while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), name="cdc-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(_BEAT_SECONDS):
            with self._lock:
                if self._document and time.monotonic() - self._reported_at < _SILENCE_SECONDS:
                    with suppress(OSError):  # a full disk must not end the thread: it has space again later
                        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        document = self._document | dict(self._measured()) | {"updatedAt": datetime.now(UTC).isoformat()}
        replace_file(self._path, json.dumps(document), durable=False)
        self._written_at = time.monotonic()
