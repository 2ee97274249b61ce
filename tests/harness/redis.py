"""A real Redis for tests, from the product's launcher."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from orchestration.runtime.ports import choose_port
from orchestration.runtime.redis_server import RedisServer


class RedisHarness:
    """One server. `durable=True` for tests that kill it and count what survived."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.server = RedisServer(folder / "data", choose_port(), "redis-of-tests", durable=durable)
        self.log = folder / "redis.log"
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """redis:// URL of database 0, password included."""
        return self.server.url

    @property
    def pid(self) -> int:
        """Of the server."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start (again): same port, same data."""
        if self._process is None:
            self._process = self.server.start(self.log)

    def kill9(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop cleanly. Harmless when it is not running."""
        self._end(signal.SIGTERM)

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        process.wait(30)


@contextlib.contextmanager
def running_redis(folder: Path, *, durable: bool = False) -> Iterator[RedisHarness]:
    """A started server, stopped at the end."""
    server = RedisHarness(folder, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()
