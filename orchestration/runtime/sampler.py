"""Total memory of all processes of one state directory, sampled while something runs."""

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from orchestration.runtime.state import supervised_processes

_EVERY_SECONDS = 3.0


class MemorySampler:
    """Peak proportional set size: shared pages (Postgres' buffers, forked workers) count once in the total.

    Counts everything the supervisor runs and the tree below this process. Use as a context manager; read `peak_bytes`
    afterwards.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-sampler", daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self.sample()

    def _run(self) -> None:
        while not self._done.wait(_EVERY_SECONDS):
            self.sample()

    def sample(self) -> int:
        """Current bytes."""
        roots = {os.getpid(), *(process.pid for process in supervised_processes(self._home))}
        total = 0
        for pid in _with_descendants(roots):
            with contextlib.suppress(psutil.Error):
                total += int(psutil.Process(pid).memory_full_info().pss)
        self.peak_bytes = max(self.peak_bytes, total)
        return total


def _with_descendants(roots: set[int]) -> set[int]:
    """The processes and all below them. Postgres' backends overwrite the environment that carries the mark.

    One look at the machine's processes: psutil would look at all of them again for every root, and a demo is sampled
    while it needs both cores.
    """
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            children.setdefault(process.ppid(), []).append(process.pid)
    found, left = set(roots), list(roots)
    while left:
        below = [pid for pid in children.get(left.pop(), ()) if pid not in found]
        found.update(below)
        left += below
    return found
