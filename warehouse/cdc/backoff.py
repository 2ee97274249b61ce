"""When to retry the stopped tables: the wait doubles after each try, up to an hour, for as long as any table is
stopped."""

import time

LONGEST_SECONDS = 3600.0


class RetryDue(Exception):
    """Begin another session: at its start the stopped tables that fit again are snapshotted."""


class Backoff:
    """Exponential backoff, one per process.

    A try costs a new session and a snapshot of every stopped table whose columns fit.
    """

    def __init__(self, seconds: float) -> None:
        self._first = self._wait = seconds
        self._since: float | None = None

    def due(self, *, stopped: bool) -> bool:
        """Called about once a second with whether any table is stopped now; True when it is time for a try."""
        now = time.monotonic()
        if not stopped:
            self._wait, self._since = self._first, None
            return False
        if self._since is None:
            self._since = now
        if now - self._since < self._wait:
            return False
        self._wait, self._since = min(2 * self._wait, LONGEST_SECONDS), None
        return True
