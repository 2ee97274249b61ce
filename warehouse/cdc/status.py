"""The status of change data capture for other programs."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from warehouse.lake.lsn import format_lsn
from warehouse.running import RenewedFile

_BEAT_SECONDS = 0.5
# A snapshot, a large batch or a base rewrite may delay a report; a process that has not reported for this long is
# stuck, and its file grows old.
_SILENCE_SECONDS = 900.0


class StatusFile(RenewedFile):
    """The status file of one process, renewed with its measurements every half second."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _BEAT_SECONDS)
        self._document: dict[str, object] = {}
        self._measured: Callable[[], Mapping[str, object]] = dict
        self._reported_at = 0.0

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

    def _content(self) -> Mapping[str, object] | None:
        if not self._document or time.monotonic() - self._reported_at >= _SILENCE_SECONDS:
            return None
        return self._document | dict(self._measured())
