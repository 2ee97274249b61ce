"""One `up` or `down` per state directory at a time; a second one waits for the first."""

import contextlib
import fcntl
import sys
import time
from collections.abc import Callable, Iterator

from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.layout import Layout

_LONGEST_WAIT_SECONDS = 1000.0  # longer than the longest start
_SAY_SO_AFTER_SECONDS = 1.0
_POLL_SECONDS = 0.1


@contextlib.contextmanager
def one_command(layout: Layout, meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock. `meanwhile` is called repeatedly while another command holds it.

    Raises: RuntimeProblem when the lock cannot be written or the other command does not end.
    """
    try:
        file = layout.command_lock.open("a")
    except OSError as error:
        raise RuntimeProblem(
            f"cannot write in {layout.run} ({error.strerror}): mend that, or set SOUK_HOME to another folder"
        ) from error
    with file:
        began, said = time.monotonic(), False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                meanwhile()
            waited = time.monotonic() - began
            if waited > _LONGEST_WAIT_SECONDS:
                raise RuntimeProblem(
                    f"another souk command is at work on {layout.home} and does not end: end that one, then try again"
                )
            if waited > _SAY_SO_AFTER_SECONDS and not said:
                said = True
                sys.stderr.write(f"another souk command is at work on {layout.home}, waiting for it\n")
            time.sleep(_POLL_SECONDS)
        yield
