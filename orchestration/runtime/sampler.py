"""Total memory of all processes of one state directory, sampled while something runs."""

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from orchestration.runtime.state import supervised_processes

_EVERY_SECONDS = 2.0


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
        own = psutil.Process()
        processes = {
            process.pid: process for process in (own, *own.children(recursive=True), *_with_backends(self._home))
        }
        total = 0
        for process in processes.values():
            with contextlib.suppress(psutil.Error):
                total += int(process.memory_full_info().pss)
        self.peak_bytes = max(self.peak_bytes, total)
        return total


def _with_backends(home: Path) -> list[psutil.Process]:
    """Marked processes and their descendants: Postgres' backends overwrite the environment that carries the mark."""
    found = []
    for process in supervised_processes(home):
        found.append(process)
        with contextlib.suppress(psutil.Error):
            found.extend(process.children(recursive=True))
    return found
