"""Processes of the shop that start fast: one interpreter imports the product and forks.

A child is `python -m MODULE` with its own pid, environment, port and pools, and it is killed by real signals. It starts
in a fraction of the time, because importing the shop takes longer than the requests of a test. `run` is for commands:
it waits for the end and returns the output. Each test process has one such parent, started on first use. The parent and
its children end with the test process, however that ends.
"""

import atexit
import ctypes
import functools
import gc
import importlib
import itertools
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Modules of the children, with those that uvicorn loads by name and commands load once their options are read.
IMPORTS = (
    "api.app",
    "api.worker",
    "api.sandbox.app",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
    "tests.harness.mutants",
    "api.operations.accounts",
    "api.operations.migrate",
    "api.operations.invariants.run",
    "orchestration.cli.app",
)
_POLL_SECONDS = 0.01
_COMMAND_SECONDS = 600
# In a child's environment: hash passwords as the product does.
REAL_PASSWORDS = "TEST_REAL_PASSWORDS"


class Fork:
    """One forked process, with those methods of subprocess.Popen that tests use."""

    def __init__(self, parent: "Prefork", number: int, pid: int) -> None:
        self._parent = parent
        self._number = number
        self.pid = pid

    def poll(self) -> int | None:
        """Its exit code as in subprocess (-9 for SIGKILL); None while it runs."""
        return self._parent.exit_code(self._number)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(_POLL_SECONDS)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


class Prefork:
    """The parent of the children. It reads requests from stdin and answers on stdout, one JSON line each.

    A child is known by its number, because the kernel soon gives the pid of a child that ended to another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process that writes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.prefork"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        atexit.register(self.close)

    def fork(
        self,
        module: str,
        env: Mapping[str, str],
        log: Path,
        *,
        mutant: str = "",
        arguments: Sequence[str] = (),
        errors: Path | None = None,
    ) -> Fork:
        """A new child; its output is appended to `log`, what it says on stderr to `errors` where that is given."""
        number = next(self._numbers)
        child = {"module": module, "env": dict(env), "log": str(log), "mutant": mutant}
        child |= {"arguments": list(arguments), "errors": str(errors or log)}
        pid = self._ask({"number": number, "child": child})
        assert pid is not None
        return Fork(self, number, pid)

    def exit_code(self, number: int) -> int | None:
        """The exit code of a child; None while it runs."""
        return self._ask({"number": number})

    def close(self) -> None:
        """End it; the kernel ends its remaining children."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _ask(self, request: Mapping[str, object]) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            raise RuntimeError(f"the parent of the shop's processes ended:\n{self._log.read().decode()[-3000:]}")
        value: int | None = json.loads(answer)
        return value


@functools.lru_cache(maxsize=1)
def parent() -> Prefork:
    """The parent of this test process."""
    return Prefork()


def fork(module: str, env: Mapping[str, str], log: Path, mutant: str = "") -> Fork:
    """`python -m MODULE` with exactly `env`, forked. `mutant` names the guard to remove first."""
    return parent().fork(module, env, log, mutant=mutant)


def run(module: str, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS` with exactly `env`, forked and waited for, its output captured."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        child = parent().fork(module, env, output, arguments=arguments, errors=errors)
        try:
            code = child.wait(_COMMAND_SECONDS)
        finally:
            child.send_signal(signal.SIGKILL)
        return subprocess.CompletedProcess([module, *arguments], code, output.read_text(), errors.read_text())


def serve_requests() -> None:
    """The parent's loop: requests on stdin, one line per answer; ends when stdin is closed."""
    gc.disable()
    for name in IMPORTS:
        importlib.import_module(name)
    # No child looks at what all of them share, so it stays shared.
    gc.freeze()
    gc.enable()
    pids: dict[int, int] = {}
    ended: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        number, answer = request["number"], None
        if "child" in request:
            answer = pids[number] = os.fork()
            if answer == 0:
                _become(**request["child"])
        else:
            if number not in ended:
                # Until this has told of its end, nobody else gets its pid.
                done, status = os.waitpid(pids[number], os.WNOHANG)
                if done:
                    ended[number] = os.waitstatus_to_exitcode(status)
            answer = ended.get(number)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _become(
    *, module: str, env: Mapping[str, str], log: str, mutant: str, arguments: Sequence[str], errors: str
) -> None:
    """In the child: set environment, stdin and logs, then run the module as `python -m` does."""
    code = 1
    try:
        _die_with_parent()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for place, descriptor in ((log, 1), (errors, 2)):
            os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
        os.environ.clear()
        os.environ.update(env)
        if REAL_PASSWORDS not in env:
            _hash_passwords_fast()
        if mutant:
            from tests.harness.mutants import MUTANTS

            MUTANTS[mutant]()
        sys.argv[:] = [module, *arguments]
        # The parent has imported some of them already.
        warnings.filterwarnings("ignore", ".*found in sys.modules", RuntimeWarning)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - printed as the interpreter does; the process ends in the next line
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _hash_passwords_fast() -> None:
    """Argon2id with the least memory and time: people of tests register hundreds of times, and a fifth of a second of
    processor time each is not what they test."""
    from argon2 import PasswordHasher

    from api.kernel import security

    security._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # noqa: SLF001 - replaced in tests alone
    security._unknown_user_hash = security._hasher.hash("nobody's")  # noqa: SLF001 - the same


def _die_with_parent() -> None:
    """Make the kernel send SIGKILL when the parent ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(1)


if __name__ == "__main__":
    serve_requests()
