"""How far the lake is behind the server, measured at the server: no I/O here."""

import threading
from collections import deque

_KEPT_SAMPLES = 1_000
# Without an answer of the server for this long, its position is unknown and the lag is at least that old.
SILENCE_SECONDS = 2.0


class Lag:
    """Samples of the server's position. The lag is the age of the oldest one that the lake has not reached.

    A stream that hangs sends nothing, so what has arrived says nothing about the lag; the server's own position does.
    One per process: it grows on while sessions fail. Several threads ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int]] = deque()
        self._newest_lsn = -1
        self._heard_at: float | None = None
        self._reached = 0

    @property
    def bytes(self) -> int | None:
        """Log of the whole cluster above what the lake has reached; None before the first sample."""
        return max(self._newest_lsn - self._reached, 0) if self._heard_at is not None else None

    def reach(self, lsn: int) -> None:
        """Everything that was committed up to `lsn` is in the lake."""
        self._reached = max(self._reached, lsn)

    def sample(self, now: float, lsn: int) -> None:
        """The server stands at `lsn` at the time `now`, in seconds on any clock that only grows."""
        with self._lock:
            self._heard_at = now
            if lsn > self._newest_lsn:
                self._newest_lsn = lsn
                self._samples.append((now, lsn))
            if len(self._samples) > _KEPT_SAMPLES:  # a lag of hours needs no half seconds: every second sample goes
                self._samples = deque(list(self._samples)[::2])

    def seconds(self, now: float) -> float | None:
        """None before the first sample."""
        with self._lock:
            if self._heard_at is None:
                return None
            while self._samples and self._samples[0][1] <= self._reached:
                self._samples.popleft()
            if self._samples:
                return max(now - self._samples[0][0], 0.0)
            silent = now - self._heard_at
            return silent if silent > SILENCE_SECONDS else 0.0
