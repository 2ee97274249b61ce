"""Health checks. Each answers within a few seconds and never raises."""

import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

_SECONDS = 4.0
# A process that writes its heartbeat every second or two may miss several on a loaded machine.
HEARTBEAT_SECONDS = 60.0


# States in a heartbeat that count as healthy; a heartbeat without a state is healthy.
_WORKING = {"streaming", "snapshot", "following", "waiting for a build"}
# States of a replication slot whose log is going or gone.
_LOSING = {"unreserved", "lost"}


@dataclass(frozen=True)
class Health:
    """The result and, when unhealthy, the reason."""

    ok: bool
    detail: str = ""


# Its argument is the pid of the process to check (0 when unknown).
Check = Callable[[int], Health]


def http_ok(url: str) -> Check:
    """GET answers 2xx."""

    def check(_: int) -> Health:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=_SECONDS)
        try:
            connection.request("GET", parts.path or "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return Health(False, f"GET {url}: {type(error).__name__}")
        finally:
            connection.close()
        return Health(200 <= status < 300, f"GET {url}: {status}")

    return check


def postgres_ok(url: str) -> Check:
    """A query answers."""
    import psycopg  # takes half a second to import; commands without a database do not need it

    def check(_: int) -> Health:
        try:
            with psycopg.connect(url, connect_timeout=int(_SECONDS)) as connection:
                connection.execute("select 1")
        except psycopg.Error as error:
            return Health(False, str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        return Health(True)

    return check


def redis_ok(url: str) -> Check:
    """PING answers."""
    import redis  # takes a third of a second to import; commands without Redis do not need it

    def check(_: int) -> Health:
        try:
            with redis.Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS) as client:
                client.ping()
        except redis.RedisError as error:
            return Health(False, str(error))
        return Health(True)

    return check


def port_open(port: int) -> Check:
    """Something accepts connections on 127.0.0.1:port."""

    def check(_: int) -> Health:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=_SECONDS).close()
        except OSError as error:
            return Health(False, f"port {port}: {error}")
        return Health(True)

    return check


def exact(path: Path, check: Check) -> Check:
    """`check`, and the same file names no stopped table and no log that is about to be lost.

    For what people and alerts read. The supervisor does not use it: a restart mends no stopped table.
    """

    def checked(pid: int) -> Health:
        health = check(pid)
        if not health.ok:
            return health
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return Health(False, f"unreadable heartbeat {path.name}: {error}")
        stopped = written.get("stoppedTables") or {}
        if stopped:
            reasons = "; ".join(f"{name} ({reason})" for name, reason in stopped.items())
            return Health(False, f"stopped tables: {reasons}; once repaired, `souk lake mend {next(iter(stopped))}`")
        slot = written.get("slot") or {}
        return Health(slot.get("walStatus") not in _LOSING, str(slot.get("alert")))

    return checked


def alive(pid: int) -> Health:
    """The process runs. For processes without a port."""
    return Health(pid > 0, "not running")


def heartbeat(path: Path) -> Check:
    """The file was written by this process within HEARTBEAT_SECONDS: {"pid": int, "updatedAt": RFC 3339}."""

    def check(pid: int) -> Health:
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
            age = (datetime.now(UTC) - datetime.fromisoformat(written["updatedAt"])).total_seconds()
        except FileNotFoundError:
            return Health(False, "no heartbeat yet")
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Health(False, f"unreadable heartbeat {path.name}: {error}")
        if pid and written.get("pid") != pid:
            return Health(False, "the heartbeat is an earlier process's")
        if written.get("state", "streaming") not in _WORKING:
            return Health(False, f"{written['state']}: {written.get('error') or 'not at work yet'}")
        return Health(age <= HEARTBEAT_SECONDS, f"last heartbeat {age:.0f} s ago")

    return check
