"""A sampling profiler inside a process of the shop: which Python stacks used its processor time.

`install` prepares it. SIGUSR1 starts sampling, SIGUSR2 ends it and writes the stacks to a file in the folder, each with
the microseconds it used. A timer counts the processor time of the process, so a process that waits is not sampled. At
each tick every thread's stack gets the processor time that the thread has used since the last tick. Time in C code and
in the kernel counts for the Python function that called it.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import CodeType, FrameType

EVERY_SECONDS = 0.001
_PREFIXES = ("/site-packages/", f"/python{sys.version_info[0]}.{sys.version_info[1]}/")
_ROOT = f"{Path(__file__).resolve().parents[3]}/"
_labels: dict[CodeType, str] = {}


def install(folder: Path) -> None:
    """Wait for the signals."""
    sampler = Sampler()
    numbers = count(1)

    def stop(_: int, __: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target = folder / f"{os.getpid()}-{next(numbers)}.json"
        made = target.with_suffix(".writing")
        made.write_text(json.dumps([[list(stack), used] for stack, used in sampler.stacks.items()]), encoding="utf-8")
        made.rename(target)

    def start(_: int, __: FrameType | None) -> None:
        sampler.begin()
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    signal.signal(signal.SIGPROF, lambda _, frame: sampler.sample(frame))
    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, stop)


class Sampler:
    """Microseconds of processor time by stack, innermost function first."""

    def __init__(self) -> None:
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self._used: dict[int, int] = {}
        self._all = 0

    def begin(self) -> None:
        """Forget what was sampled; count from now on."""
        self.stacks.clear()
        self._used = {thread: _thread_ns(thread) for thread in sys._current_frames()}  # noqa: SLF001 - documented
        self._all = time.process_time_ns()

    def sample(self, frame: FrameType | None) -> None:
        """Add what each thread has used since the last sample. `frame`: where the main thread was interrupted."""
        before, now = self._all, time.process_time_ns()
        rest, own = now - before, threading.get_ident()
        for thread, top in sys._current_frames().items():  # noqa: SLF001 - the documented way to see other threads
            ns = _thread_ns(thread)
            used = ns - self._used.get(thread, 0)
            self._used[thread] = ns
            rest -= used
            if used >= 1_000:
                self.stacks[tuple(_functions(frame if thread == own else top))] += used // 1_000
        if rest >= 1_000:
            self.stacks[("threads without Python",)] += rest // 1_000
        self._all = now


def _thread_ns(thread: int) -> int:
    return time.clock_gettime_ns(time.pthread_getcpuclockid(thread))


def _functions(frame: FrameType | None) -> Iterator[str]:
    """The functions from the innermost outwards; a greenlet continues with the one that called it."""
    greenlets = sys.modules.get("greenlet")
    current = greenlets.getcurrent() if greenlets is not None else None
    while frame is not None:
        yield _label(frame.f_code)
        frame = frame.f_back
        if frame is None and current is not None:
            current = current.parent
            frame = current.gr_frame if current is not None else None


def _label(code: CodeType) -> str:
    label = _labels.get(code)
    if label is None:
        path = code.co_filename
        for prefix in _PREFIXES:
            path = path.rpartition(prefix)[2]
        label = _labels[code] = f"{path.removeprefix(_ROOT)}:{code.co_qualname}"
    return label
