"""Processor time and memory of process trees, read from /proc."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds by name, of each process and everything below it, ended children included."""
    processes = list(_processes())
    own = {pid: seconds for pid, _, seconds in processes}
    return _by_tree(roots, processes, lambda pid: own[pid])


def memory_bytes(roots: Mapping[str, int]) -> dict[str, float]:
    """Proportional set size by name: pages that processes share count once in the sum of all names."""
    return _by_tree(roots, list(_processes()), _proportional_bytes)


def busy_seconds() -> float:
    """Seconds that the machine's cores have worked since it started, for all processes together."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS


Processes = list[tuple[int, int, float]]


def _by_tree(roots: Mapping[str, int], processes: Processes, value: Callable[[int], float]) -> dict[str, float]:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for pid, parent, _ in processes:
        children[parent].append(pid)
    alive = {pid for pid, _, _ in processes}

    def tree(pid: int) -> float:
        return (value(pid) if pid in alive else 0.0) + sum(map(tree, children.get(pid, ())))

    return {name: tree(pid) for name, pid in roots.items()}


def _processes() -> Iterator[tuple[int, int, float]]:
    """(pid, parent, seconds) of every process; the seconds hold those of children that it has waited for."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = text.rpartition(")")[2].split()
        yield int(entry.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS


def _proportional_bytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith("Pss:")), 0.0)
