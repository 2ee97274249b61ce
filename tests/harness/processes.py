"""A process of ours that tests start, stop and kill."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Stoppable:
    """Holds at most one running process; who derives from it says how that one starts."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process. Raises RuntimeError when there is none."""
        if self.process is None:
            raise RuntimeError(f"{type(self).__name__} is not running")
        return self.process.pid

    def kill9(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop cleanly. Harmless when it is not running."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals, *, group: bool = False) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, how)
            process.send_signal(how)
        process.wait(60)


class Module(Stoppable):
    """`python -m MODULE` with `env` added to this process's environment; its output goes to a log in `folder`."""

    def __init__(self, module: str, folder: Path, env: Mapping[str, str]) -> None:
        super().__init__(folder / f"{module}.log")
        self.module = module
        self.env = {**os.environ, "SOUK_HOME": str(folder), "SOUK_PROFILE": "test", **env}

    def start(self, **extra_env: str) -> None:
        """Start it (again), with `extra_env` this time only."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], cwd=ROOT, env={**self.env, **extra_env}, stdout=log, stderr=log
            )
