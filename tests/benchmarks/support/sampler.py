"""A sampling profiler inside a process of the shop: which Python stack runs each time some processor time was used.

`install` prepares it. SIGUSR1 starts sampling, SIGUSR2 ends it and writes the stacks to a file in the folder. The timer
counts processor time of the process, so a process that waits is not sampled. Time in C code and in the kernel counts
for the Python function that called it.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import CodeType, FrameType

EVERY_SECONDS = 0.001
_PREFIXES = ("/site-packages/", f"/python{sys.version_info[0]}.{sys.version_info[1]}/")
_ROOT = f"{Path(__file__).resolve().parents[3]}/"
_WAITING = ("threading.py", "selectors.py", "queue.py", "multiprocessing/connection.py")
_IDLE = ("concurrent/futures/thread.py:_worker", *(f"{file}:" for file in _WAITING))
_labels: dict[CodeType, str] = {}


def install(folder: Path) -> None:
    """Wait for the signals."""
    stacks: Counter[tuple[str, ...]] = Counter()
    numbers = count(1)

    def sample(_: int, frame: FrameType | None) -> None:
        stacks[_stack(frame)] += 1

    def start(_: int, __: FrameType | None) -> None:
        stacks.clear()
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)

    def stop(_: int, __: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target = folder / f"{os.getpid()}-{next(numbers)}.json"
        made = target.with_suffix(".writing")
        made.write_text(json.dumps([[list(stack), times] for stack, times in stacks.items()]), encoding="utf-8")
        made.rename(target)

    signal.signal(signal.SIGPROF, sample)
    signal.signal(signal.SIGUSR1, start)
    signal.signal(signal.SIGUSR2, stop)


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """Innermost function first: of this thread, or of another one that works while this thread waits for events."""
    stack = tuple(_functions(frame))
    if stack and stack[0].startswith(("asyncio/runners.py", "asyncio/base_events.py:BaseEventLoop.run", "uvicorn/")):
        own = threading.get_ident()
        for thread, top in sys._current_frames().items():  # noqa: SLF001 - the documented way to see other threads
            other = tuple(_functions(top)) if thread != own else ()
            if other and not other[0].startswith(_IDLE):
                return other
    return stack


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
