"""The real API for tests: a separate process on a free port, used over HTTP."""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.harness.ports import free_port
from tests.harness.processes import ROOT, Module

__all__ = ["PLAIN", "ROOT", "Server", "api_of", "running_api"]
START_SECONDS = 60
# These clients use plain http; loading the certificate store takes longer than an order.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Server(Module):
    """One `python -m MODULE` that binds the URL in `url_variable`; `env` is added to this process's environment."""

    def __init__(
        self, module: str, url_variable: str, folder: Path, env: Mapping[str, str], *, fresh: bool = False
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        super().__init__(module, folder, {**env, url_variable: self.url}, fresh=fresh)

    def start(self, *, mutant: str = "", **extra_env: str) -> None:
        """Start and wait until it is ready. Raises RuntimeError with the end of the log after one minute."""
        super().start(mutant=mutant, **extra_env)
        deadline = time.monotonic() + START_SECONDS
        with self.client() as client:
            while time.monotonic() < deadline and self.exit_code() is None:
                try:
                    if client.get("/health/ready", timeout=2).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise RuntimeError(f"python -m {self.module} did not become ready:\n{self.log.read_text()[-3000:]}")

    def client(self, **headers: str) -> httpx.Client:
        """A client with a base URL; the caller closes it."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, verify=PLAIN, headers=headers)


def api_of(folder: Path, database_url: str, redis_url: str, env: Mapping[str, str], *, fresh: bool = False) -> Server:
    """An API with one worker, not started yet."""
    required = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_API_WORKERS": "1"}
    return Server("api", "SOUK_API_URL", folder, {**required, **env}, fresh=fresh)


@contextmanager
def running_api(folder: Path, database_url: str, redis_url: str, **env: str) -> Iterator[Server]:
    """A started API with one worker, killed at the end: hundreds of modules need not wait for its graceful stop."""
    server = api_of(folder, database_url, redis_url, env)
    server.start()
    try:
        yield server
    finally:
        server.kill9()
