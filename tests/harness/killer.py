"""Processes of the shop that are cheap to start, so that a test can afford to kill many.

A zygote imports the API once and forks: a child is a real `python -m api` or `python -m api.worker` (own pid, own port,
own pools, killed by real signals) that is ready in a fraction of a second instead of several. Twins are children with
one guard taken away before they start.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from orchestration.runtime.ports import choose_port
from tests.harness.api import ROOT
from tests.harness.twins import TWINS

KILLED = -signal.SIGKILL


class Child:
    """One forked process. `url` for an API, empty for a worker."""

    def __init__(self, zygote: "Zygote", pid: int, url: str) -> None:
        self.zygote = zygote
        self.pid = pid
        self.url = url

    def send(self, signum: signal.Signals) -> None:
        os.kill(self.pid, signum)

    def client(self, **headers: str) -> httpx.Client:
        """A client with a base URL; the caller closes it."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, headers=headers)

    def exit_code(self) -> int | None:
        """As subprocess gives it (-9 for SIGKILL), None while it runs."""
        return self.zygote.exit_code(self.pid)

    def wait(self, seconds: float) -> int:
        """Its exit code. Raises AssertionError when it lives longer."""
        deadline = time.monotonic() + seconds
        while (code := self.exit_code()) is None:
            assert time.monotonic() < deadline, f"process {self.pid} is still alive"
            time.sleep(0.02)
        return code

    def end(self) -> None:
        """SIGKILL, harmless when it is gone."""
        if self.exit_code() is None:
            self.send(signal.SIGKILL)
            self.wait(10)


class Zygote:
    """The parent of the children; `env` is what all of them get."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {
            "SOUK_HOME": str(folder),
            "SOUK_PROFILE": "test",
            "SOUK_API_WORKERS": "1",
            "SOUK_LOG_LEVEL": "warning",
            **env,
        }
        self._log = (folder / "children.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.killer"],
            cwd=ROOT,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe_in, self._pipe_out = self._process.stdin, self._process.stdout
        self.children: list[Child] = []
        self._ask({"ping": True})

    def api(self, *, twin: str = "", **env: str) -> Child:
        """A ready API process."""
        url = f"http://127.0.0.1:{choose_port()}"
        child = self._fork("api", twin, {"SOUK_API_URL": url, **env}, url)
        deadline = time.monotonic() + 60
        while True:
            assert self.exit_code(child.pid) is None, (self.folder / "children.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the API did not become ready"
            try:
                if httpx.get(f"{url}/health/ready", timeout=2, trust_env=False).status_code == 200:
                    return child
            except httpx.TransportError:
                pass
            time.sleep(0.02)

    def worker(self, *, twin: str = "", **env: str) -> Child:
        """A worker process, starting."""
        return self._fork("worker", twin, env, "")

    def exit_code(self, pid: int) -> int | None:
        return self._ask({"poll": pid})["code"]

    def close(self) -> None:
        for child in self.children:
            child.end()
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fork(self, module: str, twin: str, env: Mapping[str, str], url: str) -> Child:
        pid = self._ask({"fork": module, "twin": twin, "env": dict(env)})["pid"]
        assert pid is not None
        child = Child(self, pid, url)
        self.children.append(child)
        return child

    def _ask(self, request: Mapping[str, object]) -> dict[str, int | None]:
        self._pipe_in.write(json.dumps(request) + "\n")
        self._pipe_in.flush()
        answer: dict[str, int | None] = json.loads(self._pipe_out.readline())
        return answer


@contextmanager
def paused(child: Child) -> Iterator[None]:
    """SIGSTOP while the block runs, then SIGCONT: the process wakes up as if nothing had happened."""
    child.send(signal.SIGSTOP)
    try:
        yield
    finally:
        child.send(signal.SIGCONT)


def _serve_requests() -> None:
    """The zygote's loop: requests on stdin, one answer line each; ends with its stdin."""
    # Everything a child needs is imported here, once; uvicorn's own parts included, which it loads by name.
    import uvicorn.lifespan.on
    import uvicorn.loops.uvloop
    import uvicorn.protocols.http.httptools_impl
    import uvicorn.protocols.websockets.auto  # noqa: F401 - imported for the children

    from api import __main__ as api_main
    from api import app  # noqa: F401 - the same
    from api import worker as api_worker

    runs: dict[str, Callable[[], None]] = {"api": api_main.main, "worker": api_worker.run}
    ended: dict[int, int] = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, int | None] = {}
        if "fork" in request:
            pid = os.fork()
            if pid == 0:
                _become(runs[request["fork"]], request["env"], request["twin"])
            answer["pid"] = pid
        elif "poll" in request:
            pid = request["poll"]
            if pid not in ended:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            answer["code"] = ended.get(pid)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _become(run: Callable[[], None], env: Mapping[str, str], twin: str) -> None:
    """In the child: its own environment and a closed stdin, then the product's own entry point."""
    code = 1
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.environ.update(env)
        if twin:
            TWINS[twin]()
        run()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve_requests()
