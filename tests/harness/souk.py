"""The `souk` command as an operator uses it, on a separate state directory."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import psutil

from orchestration.runtime import control
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import load_machine
from orchestration.runtime.state import read_record, supervised_processes
from orchestration.runtime.status import status_of
from orchestration.settings import load_settings
from tests.harness import prefork

ROOT = prefork.ROOT
# Variables that would connect the command to the developer's servers.
_OUTSIDE = (
    "DATABASE_URL",
    "REPLICATION_URL",
    "REDIS_URL",
    "MLFLOW_TRACKING_URI",
    "SOUK_API_URL",
    "SOUK_SANDBOX_URL",
    "SOUK_SERVING_URL",
)


class SoukHarness:
    """`services` limits what `up` starts (SOUK_SERVICES); empty means everything."""

    def __init__(self, home: Path, services: str = "", **environment: str) -> None:
        self.home = home
        self.layout = Layout(home)
        kept = {name: value for name, value in os.environ.items() if name not in _OUTSIDE}
        self.environment = {**kept, "SOUK_HOME": str(home), "SOUK_SERVICES": services, **environment}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, with captured output, in a process that need not import it first."""
        return prefork.run("orchestration.cli", *arguments, env={**self.environment, **environment})

    def up(self, *first: str) -> None:
        """Do what `souk up` does, or wait for the `first` services only; it must succeed. It runs in this process,
        because a new one costs a second."""
        with patch.dict(os.environ, self.environment, clear=True):
            control.up(load_settings(), first=first)

    def down(self) -> None:
        """Do what `souk down` does."""
        with patch.dict(os.environ, self.environment, clear=True):
            control.down(load_settings())

    def status(self) -> dict[str, dict[str, object]]:
        """The document of `souk status --json`."""
        with patch.dict(os.environ, self.environment, clear=True):
            return status_of(load_machine(load_settings()))

    def healthy(self, service: str) -> bool:
        """Whether the supervisor's last check of a service was healthy; cheaper than `status`."""
        record = read_record(self.layout, service)
        return record is not None and record.state == "healthy"

    def pid(self, service: str) -> int:
        """The pid of a service, or of the `supervisor`; 0 while it does not run."""
        return int(json.loads((self.layout.run / f"{service}.json").read_text(encoding="utf-8"))["pid"] or 0)

    def kill9(self, service: str) -> int:
        """kill -9; returns the pid of the killed process."""
        pid = self.pid(service)
        assert pid > 0, f"{service} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    def living(self) -> list[psutil.Process]:
        """Every process of this state directory that runs, including the supervisor."""
        found = {process.pid: process for process in supervised_processes(self.home)}
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("SOUK_HOME") == str(self.home):
                    found[process.pid] = process
            except (psutil.Error, OSError):
                continue
        return list(found.values())


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Poll until true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
