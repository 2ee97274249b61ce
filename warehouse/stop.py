"""A request to end, by SIGTERM, SIGINT or another thread."""

import os
import select
import signal
from collections.abc import Sequence
from types import FrameType


class Stop:
    """Asked for once. Code that waits sees it at once.

    It takes no lock: a signal handler runs between any two instructions of the main thread, also where that thread
    holds the lock of a `threading.Event` or of a logger, and would wait for it for ever.
    """

    def __init__(self) -> None:
        self.asked = False
        self._ends = os.pipe()
        os.set_blocking(self._ends[1], False)

    def ask(self) -> None:
        """Ask to end."""
        if not self.asked:
            self.asked = True
            os.write(self._ends[1], b".")

    def fileno(self) -> int:
        """What `select` waits for: it can be read once asked."""
        return self._ends[0]

    def wait(self, seconds: float, others: Sequence[int] = ()) -> None:
        """Return after so many seconds, once asked, or once one of these files can be read."""
        select.select([self, *others], [], [], max(seconds, 0.0))

    def __del__(self) -> None:
        for end in self._ends:
            os.close(end)


def stop_on_signals() -> Stop:
    """Asked by SIGTERM and SIGINT. Call from the main thread."""
    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.ask()

    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, ask)
    return stop
