"""Starts and ends the samplers of a process tree, and says in words where the processor time went."""

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.processes import ROOT

PROFILED = Path(__file__).resolve().parent / "profiled"
WAIT_SECONDS = 20.0
Stacks = Counter[tuple[str, ...]]


def environment(folder: Path) -> dict[str, str]:
    """What a process needs so that it can be profiled; the samples are written to the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"BENCH_PROFILE": str(folder), "PYTHONPATH": f"{PROFILED}:{ROOT}"}


@dataclass
class Profiler:
    """The samplers of one process and everything below it."""

    pid: int
    folder: Path

    def start(self) -> None:
        """Begin to sample."""
        for pid in self._sampled():
            os.kill(pid, signal.SIGUSR1)

    def stop(self) -> Stacks:
        """End it; returns the stacks of all processes, innermost function first."""
        pids = list(self._sampled())
        for old in self.folder.glob("*.json"):
            old.unlink()
        for pid in pids:
            os.kill(pid, signal.SIGUSR2)
        deadline = time.monotonic() + WAIT_SECONDS
        while len(files := list(self.folder.glob("*.json"))) < len(pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        stacks: Stacks = Counter()
        for file in files:
            for stack, times in json.loads(file.read_text(encoding="utf-8")):
                stacks[tuple(stack)] += times
        return stacks

    def _sampled(self) -> Iterator[int]:
        """The processes that handle the signal; any other would be ended by it."""
        root = psutil.Process(self.pid)
        for process in (root, *root.children(recursive=True)):
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
            caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
            if caught >> (signal.SIGUSR2 - 1) & 1:
                yield process.pid


def report(title: str, stacks: Stacks, ms_per_unit: float, shown: int = 30) -> str:
    """Shares of the sampled microseconds, and milliseconds of a unit's processor time (`ms_per_unit` in all)."""
    total = sum(stacks.values())
    if not total:
        return f"== {title}: no samples\n"
    lines = [f"== {title}: {total / 1000:.0f} ms sampled, {ms_per_unit:.3f} CPU ms a unit"]
    for heading, counted in _parts(stacks).items():
        lines.append(f"-- {heading}")
        # What nearly every stack holds (the event loop, middleware) says nothing.
        told = [(name, times) for name, times in counted.most_common() if times < total * _EVERYWHERE]
        lines += [f"{times / total:7.1%} {times / total * ms_per_unit:8.3f} ms  {name}" for name, times in told[:shown]]
    return "\n".join(lines) + "\n"


_EVERYWHERE = 0.88


def _parts(stacks: Stacks) -> dict[str, Counter[str]]:
    """Microseconds by heading and name."""
    parts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for stack, times in stacks.items():
        innermost = next((at for at, function in enumerate(stack) if function.startswith("api/")), None)
        if innermost is not None:
            inside = [package_of(function) for function in stack[:innermost]]
            called = next((package for package in reversed(inside) if package != "contextlib"), "itself")
            parts["by our innermost function, and what it calls"][f"{stack[innermost]} > {called}"] += times
        parts["own time by package"][package_of(stack[0])] += times
        parts["own time by function"][stack[0]] += times
        for package in {package_of(function) for function in stack}:
            parts["time within, by package (calls below it included)"][package] += times
        for function in set(stack):
            whose = "our functions" if function.startswith("api/") else "functions of libraries"
            parts[f"time within {whose}"][function] += times
    return dict(sorted(parts.items()))


def package_of(function: str) -> str:
    """`sqlalchemy` of `sqlalchemy/engine/base.py:Connection.execute`; the shop's own code counts by noun."""
    path = function.rpartition(":")[0]
    parts = path.split("/")
    if parts[0] == "api" and len(parts) > 2:
        return f"api/{parts[1]}"
    return parts[0].removesuffix(".py")


def say(text: str) -> None:
    """Print it where result lines do not go."""
    sys.stderr.write(text)
    sys.stderr.flush()
