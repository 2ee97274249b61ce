"""The real API for tests: `python -m api` as its own process on a free port, spoken to over HTTP."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from orchestration.runtime.ports import choose_port
from tests.harness.processes import ROOT, Module

__all__ = ["ROOT", "Server", "running_api"]
START_SECONDS = 60


class Server(Module):
    """One `python -m MODULE` that binds the URL in `url_variable`; `env` is added to this process's environment."""

    def __init__(self, module: str, url_variable: str, folder: Path, env: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{choose_port()}"
        super().__init__(module, folder, {**env, url_variable: self.url})

    def start(self, **extra_env: str) -> None:
        """Start and wait until it is ready. Raises RuntimeError with the log's end when it is not within a minute."""
        super().start(**extra_env)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"python -m {self.module} did not become ready:\n{self.log.read_text()[-3000:]}")

    def client(self, **headers: str) -> httpx.Client:
        """A client with a base URL; the caller closes it."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, headers=headers)


@contextmanager
def running_api(folder: Path, database_url: str, redis_url: str, **env: str) -> Iterator[Server]:
    """A started API with one worker, stopped at the end."""
    server = Server(
        "api",
        "SOUK_API_URL",
        folder,
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_API_WORKERS": "1", **env},
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
