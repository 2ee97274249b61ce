"""A real Redis for tests, from the product's launcher."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import redis

from orchestration.runtime.redis_server import RedisServer
from tests.harness.ports import free_port
from tests.harness.processes import Stoppable


class RedisHarness(Stoppable):
    """One server. `durable=True` is for tests that kill it and count the surviving entries."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.server = RedisServer(folder / "data", free_port(), "redis-of-tests", durable=durable)
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / "redis.log")

    @property
    def url(self) -> str:
        """redis:// URL of database 0, password included."""
        return self.server.url

    def start(self) -> None:
        """Start, also again, with the same port and data."""
        if self.process is None:
            self.process = self.server.start(self.log)

    def flush(self) -> None:
        """Delete everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@contextlib.contextmanager
def running_redis(folder: Path, *, durable: bool = False) -> Iterator[RedisHarness]:
    """A started server, stopped at the end."""
    server = RedisHarness(folder, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.stop()
