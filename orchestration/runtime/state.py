"""run/<service>.json identifies each process, safe against reused pids; also finds every process of a directory."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import SUPERVISED
from warehouse.files import replace_file

# psutil computes start times from the boot time, which shifts when the clock is corrected.
_START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Record:
    """One service as the supervisor last saw it.

    `state`: waiting, starting, healthy, unhealthy, restarting, done, failed, stopping or stopped.
    """

    service: str
    state: str
    pid: int | None = None
    start_time: float | None = None
    url: str | None = None
    restarts: int = 0
    message: str = ""


def write_record(layout: Layout, record: Record) -> None:
    """Write the record atomically."""
    replace_file(layout.run / f"{record.service}.json", json.dumps(asdict(record)) + "\n", mode=0o600)


def read_record(layout: Layout, service: str) -> Record | None:
    """The stored record; None when there is none or it is damaged."""
    try:
        return Record(**json.loads((layout.run / f"{service}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def start_time_of(pid: int) -> float | None:
    """When the process began, in seconds since the epoch; None when it has ended."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def process_of(record: Record | None) -> psutil.Process | None:
    """The live process of a record, or None when it ended or its pid now belongs to another process."""
    if record is None or record.pid is None or record.start_time is None:
        return None
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.start_time) <= _START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def supervised_processes(home: Path) -> Iterator[psutil.Process]:
    """Every live process of this state directory, grandchildren included; never this process or its ancestors.

    They carry a mark in their environment. Postgres and Redis overwrite theirs with a title, so they are recognized by
    their working directory.
    """
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in own and _belongs(process, home) and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _belongs(process: psutil.Process, home: Path) -> bool:
    if process.name() in {"postgres", "redis-server"}:
        return Path(process.cwd()).is_relative_to(home)
    return bool(process.environ().get(SUPERVISED) == str(home))
