"""SIGTERM ends a benchmark as ctrl-c does: what it started is stopped and its folder is deleted."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """While the block runs, SIGTERM raises SystemExit in it."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
