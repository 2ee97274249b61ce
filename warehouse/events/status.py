"""The consumer's status for other programs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from warehouse.events.entries import Landed
from warehouse.running import RenewedFile

_BEAT_SECONDS = 1.0


class EventsStatus(RenewedFile):
    """Counts since the process began. The time and the lag are renewed every second.

    `lagSeconds` is the age of the oldest entry that was read and is not in the lake, or the time since the stream last
    answered; 0 when everything that was sent is in the lake.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _BEAT_SECONDS)
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
            self._write(again_after=_BEAT_SECONDS)

    def _content(self) -> Mapping[str, object]:
        counts, since = self._counts, self._behind_since
        return {
            "state": self._state,
            "landed": counts.rows,
            "duplicates": counts.duplicates,
            "rejected": counts.rejected,
            "late": counts.late,
            "future": counts.future,
            "positions": dict(counts.reached),
            "streamLength": self._length,
            "lagSeconds": round(max((datetime.now(UTC) - since).total_seconds(), 0.0), 3) if since else 0.0,
            "landedAt": self._landed_at.isoformat() if self._landed_at else None,
            "error": self._error or None,
        }
