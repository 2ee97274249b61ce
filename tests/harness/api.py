"""The real API for tests: `python -m api` as its own process on a free port, spoken to over HTTP."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from orchestration.runtime.ports import choose_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


class Server:
    """One `python -m MODULE` that binds the URL in `url_variable`; `env` is added to this process's environment."""

    def __init__(self, module: str, url_variable: str, folder: Path, env: Mapping[str, str]) -> None:
        self.module = module
        self.url = f"http://127.0.0.1:{choose_port()}"
        self.log = folder / f"{module}.log"
        self.env = {**os.environ, "SOUK_HOME": str(folder), "SOUK_PROFILE": "test", **env, url_variable: self.url}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **extra_env: str) -> None:
        """Start and wait until it is ready. Raises RuntimeError with the log's end when it is not within a minute."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], cwd=ROOT, env={**self.env, **extra_env}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"python -m {self.module} did not become ready:\n{self.log.read_text()[-3000:]}")

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.module} is not running")
        return self.process.pid

    def client(self, **headers: str) -> httpx.Client:
        """A client with a base URL; the caller closes it."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, headers=headers)

    def kill9(self) -> None:
        self._end("kill")

    def stop(self) -> None:
        """SIGTERM and wait. Harmless when it is not running."""
        self._end("terminate")

    def _end(self, how: str) -> None:
        process, self.process = self.process, None
        if process is not None:
            getattr(process, how)()
            process.wait(30)


@contextmanager
def running_api(folder: Path, database_url: str, redis_url: str, **env: str) -> Iterator[Server]:
    """A started API with one worker, stopped at the end."""
    server = Server("api", "SOUK_API_URL", folder, {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_API_WORKERS": "1", **env})
    server.start()
    try:
        yield server
    finally:
        server.stop()
