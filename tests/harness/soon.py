"""Waiting for what happens by itself."""

import time
from collections.abc import Callable


def soon(seen: Callable[[], bool], seconds: float) -> bool:
    """Whether it is seen within so many seconds."""
    until = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
