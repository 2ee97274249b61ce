"""Keeps every process of one state directory running.

The main thread starts and reaps processes; a small pool of threads prepares and checks them. The main thread sleeps
until a process ends, a check answers, or something is due.
"""

import contextlib
import fcntl
import math
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestration.runtime.child import Child, now
from orchestration.runtime.layout import Layout
from orchestration.runtime.services import Service
from orchestration.runtime.state import Record, start_time_of, write_record
from warehouse.logs import get_logger

_POLL_SECONDS = 0.1
_LOCK_SECONDS = 2.0
# The longest sleep: nothing depends on it.
_LONGEST_SECONDS = 60.0
SUPERVISOR = "supervisor"
log = get_logger(__name__)


@contextlib.contextmanager
def supervisor_lock(layout: Layout) -> Iterator[bool]:
    """Hold the supervisor's lock; yields False when another supervisor holds it.

    The kernel releases the lock when the process ends.
    """
    with layout.supervisor_lock.open("a") as file:
        deadline = now() + _LOCK_SECONDS  # `supervisor_lives` holds the lock briefly
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if now() > deadline:
                    yield False
                    return
                time.sleep(_POLL_SECONDS)
        yield True


def supervisor_lives(layout: Layout) -> bool:
    """Whether a process holds the lock."""
    try:
        with layout.supervisor_lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class Wakes:
    """Ends a sleep of the main thread: every signal that has a handler, and `wake`, which any thread may call."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def on_signals(self) -> None:
        """Call from the main thread. Also a child that ends is a signal."""
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def wake(self, _: object = None) -> None:
        """End the sleep now, or the next one at once."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b".")

    def sleep(self, seconds: float) -> None:
        """At most so long."""
        select.select([self._read], [], [], max(seconds, 0.0))
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)


class Supervisor:
    """Runs until SIGTERM, then stops everything in reverse order of dependency."""

    def __init__(self, layout: Layout, services: Sequence[Service], environment: dict[str, str], cwd: Path) -> None:
        self._layout = layout
        self._pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="check")
        self._wakes = Wakes()
        self._children = {
            service.name: Child(service, layout, environment, cwd, self._pool, answered=self._wakes.wake)
            for service in services
        }
        self._states: dict[str, str] = {}
        self._stopping: str | None = None

    def run(self) -> None:
        """Supervise until SIGTERM. Call from the main thread: children end with the thread that started them."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._wakes.on_signals()
        self._record_own("healthy")
        while not self._stopping:
            self._tick()
            self._wakes.sleep(min(self._due() - now(), _LONGEST_SECONDS))
        log.info("asked to stop", signal=self._stopping)
        with contextlib.suppress(OSError):  # a full disk must not prevent stopping the others
            self._record_own("stopping")
        self._stop_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _record_own(self, state: str) -> None:
        own = os.getpid()
        write_record(self._layout, Record(SUPERVISOR, state, own, start_time_of(own)))

    def _on_signal(self, number: int, _: object) -> None:
        # No line in the log here: the handler may have interrupted one, whose lock it would wait for, for ever.
        self._stopping = signal.Signals(number).name

    def _tick(self) -> None:
        for child in self._children.values():
            child.tick(now(), may_start=self._may_start(child))
            self._note(child)

    def _may_start(self, child: Child) -> bool:
        return all(self._children[name].satisfied for name in child.service.after)

    def _due(self) -> float:
        """When the next child wants a tick, though no process ends and no check answers."""
        return min((child.due(may_start=self._may_start(child)) for child in self._children.values()), default=math.inf)

    def _note(self, child: Child) -> None:
        name = child.service.name
        if self._states.get(name) != child.state:
            self._states[name] = child.state
            log.info("service", service=name, state=child.state, message=child.message)

    def _stop_all(self) -> None:
        """Stop each service after every service that depends on it has ended."""
        while any(child.running for child in self._children.values()):
            needed = {name for child in self._children.values() if child.running for name in child.service.after}
            for name, child in self._children.items():
                if child.running and name not in self._transitively(needed):
                    child.ask_to_stop(now())
                child.enforce_stop(now())
                self._note(child)
            self._wakes.sleep(_POLL_SECONDS)
        for child in self._children.values():
            child.ask_to_stop(now())

    def _transitively(self, names: set[str]) -> set[str]:
        """The names and everything they depend on, directly or through a finished one-shot step."""
        found, queue = set(names), list(names)
        while queue:
            for name in self._children[queue.pop()].service.after:
                if name not in found:
                    found.add(name)
                    queue.append(name)
        return found
