"""Keeps every process of one state directory running.

The main thread starts and reaps processes; a small pool of threads prepares and checks them.
"""

import contextlib
import fcntl
import os
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

_TICK_SECONDS = 0.1
_LOCK_SECONDS = 2.0
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
                time.sleep(_TICK_SECONDS)
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


class Supervisor:
    """Runs until SIGTERM, then stops everything in reverse order of dependency."""

    def __init__(self, layout: Layout, services: Sequence[Service], environment: dict[str, str], cwd: Path) -> None:
        self._layout = layout
        self._pool = ThreadPoolExecutor(max_workers=6, thread_name_prefix="check")
        self._children = {service.name: Child(service, layout, environment, cwd, self._pool) for service in services}
        self._states: dict[str, str] = {}
        self._stopping: str | None = None

    def run(self) -> None:
        """Supervise until SIGTERM. Call from the main thread: children end with the thread that started them."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._record_own("healthy")
        while not self._stopping:
            self._tick()
            time.sleep(_TICK_SECONDS)
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
            child.tick(now(), may_start=all(self._children[name].satisfied for name in child.service.after))
            self._note(child)

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
            time.sleep(_TICK_SECONDS / 2)
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
