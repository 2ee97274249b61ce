"""A process of the product that tests start, stop and kill."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from tests.harness import prefork
from tests.harness.prefork import ROOT
from tests.harness.sessions import SECRET_KEY

__all__ = ["KILLED", "ROOT", "Module", "Process", "Stoppable", "paused"]
KILLED = -signal.SIGKILL


class Process(Protocol):
    """The common methods of subprocess.Popen and prefork.Fork."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Stoppable:
    """Holds at most one running process. A subclass defines how it starts."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.process: Process | None = None

    @property
    def pid(self) -> int:
        """The pid of the running process. Raises RuntimeError when none runs."""
        return self._present().pid

    def send(self, signum: signal.Signals) -> None:
        self._present().send_signal(signum)

    def exit_code(self) -> int | None:
        """The exit code as in subprocess (-9 for SIGKILL); None while it runs."""
        return self._present().poll()

    def wait(self, seconds: float) -> int:
        """Wait for it to end without a signal; returns its exit code. Raises AssertionError after `seconds`."""
        try:
            return self._present().wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"process {self.pid} is still alive after {seconds} s") from error

    def kill9(self) -> None:
        """kill -9. Does nothing when it is not running."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop cleanly. Does nothing when it is not running."""
        self._end(signal.SIGTERM)

    def _present(self) -> Process:
        if self.process is None:
            raise RuntimeError(f"{type(self).__name__} is not running")
        return self.process

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
    """`python -m MODULE` with `env` added to this process's environment; its output goes to a log in `folder`.

    It is forked from a process that has imported the product. `fresh=True` starts a new interpreter, as the
    product's supervisor does.
    """

    def __init__(self, module: str, folder: Path, env: Mapping[str, str], *, fresh: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / f"{module}.log")
        self.module = module
        self.fresh = fresh
        self.env = {
            **os.environ,
            "SOUK_HOME": str(folder),
            "SOUK_PROFILE": "test",
            "SOUK_SECRET_KEY": SECRET_KEY,
            **env,
        }

    def start(self, *, mutant: str = "", **extra_env: str) -> None:
        """Start it, also again; `extra_env` applies to this start only.

        `mutant` names a guard to remove (harness/mutants.py).
        """
        env = {**self.env, **extra_env}
        if not self.fresh:
            self.process = prefork.fork(self.module, env, self.log, mutant)
            return
        assert not mutant, "only a forked process can be a mutant"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], cwd=ROOT, env=env, stdout=log, stderr=log
            )


@contextlib.contextmanager
def paused(process: Stoppable) -> Iterator[None]:
    """SIGSTOP while the block runs, then SIGCONT: the process continues where it stopped."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)
