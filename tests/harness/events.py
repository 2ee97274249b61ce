"""The consumer of behaviour events between a Redis of the test and a lake: as a process, or as a thread."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import redis

from tests.harness.processes import ROOT
from tests.harness.redis import RedisHarness
from warehouse.events.main import serve
from warehouse.events.redis_source import LANDED, STREAM
from warehouse.lake.behaviour import attach_events
from warehouse.lake.read import connect
from warehouse.settings import EventSettings
from warehouse.stop import Stop


class EventsLab:
    """`send` writes to the stream what the shop's API would; `landed` reads the lake."""

    def __init__(self, server: RedisHarness, home: Path) -> None:
        self.server, self.home = server, home
        self.lake = home / "lake"
        self.log = home / "events.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stop = Stop()
        home.mkdir(parents=True, exist_ok=True)

    @property
    def variables(self) -> dict[str, str]:
        return {"REDIS_URL": self.server.url, "SOUK_HOME": str(self.home), "SOUK_EVENTS_FLUSH_SECONDS": "0.1"}

    def settings(self, **more: object) -> EventSettings:
        """The configuration as an object."""
        return EventSettings.model_validate({**self.variables, **more})

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.server.url, decode_responses=True)

    def send(self, count: int = 1, **fields: str) -> list[str]:
        """Append `count` searches; returns their event ids."""
        now, sent = datetime.now(UTC).isoformat(), [str(uuid4()) for _ in range(count)]
        with self.client() as client:
            for event in sent:
                plain = {"eventId": event, "type": "search", "query": "lamp", "occurredAt": now, "receivedAt": now}
                client.xadd(STREAM, {**plain, **fields})
        return sent

    def trim(self) -> None:
        """What the shop's worker deletes once the lake has reported it."""
        with self.client() as client:
            landed = str(client.get(LANDED) or "0-0")
            moment, _, number = landed.partition("-")
            client.xtrim(STREAM, minid=f"{moment}-{int(number) + 1}", approximate=False)

    def landed(self, columns: str = "event_id") -> list[str]:
        with connect() as con:
            attach_events(con, self.lake)
            return [
                str(row[0])
                for row in con.execute(f"SELECT {columns} FROM behaviour.behaviour_events ORDER BY ALL").fetchall()
            ]

    def start(self, failpoints: str = "", program: tuple[str, ...] = ("-m", "warehouse.events")) -> None:
        """Start the process."""
        env = {**os.environ, **self.variables, "SOUK_FAILPOINTS": failpoints}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, *program], cwd=ROOT, env=env, stdout=log, stderr=log)

    def start_thread(self, **more: object) -> None:
        """Run the same code in a thread of the test."""
        settings = self.settings(**more)
        self._stop = Stop()
        self._thread = threading.Thread(target=serve, args=(settings, self._stop), name="events")
        self._thread.start()

    def kill(self) -> None:
        """kill -9 the process."""
        assert self.process is not None
        self.process.kill()
        self.wait_exit()

    def wait_exit(self, seconds: float = 60) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        return process.wait(seconds)

    def stop(self) -> None:
        """End the thread or the process."""
        if self._thread is not None:
            self._stop.ask()
            self._thread.join(30)
            self._thread = None
        if self.process is not None:
            self.process.terminate()
            self.wait_exit()

    def wait(self, until: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:] if self.log.exists() else "no log"
            time.sleep(0.05)

    def status(self) -> Mapping[str, object]:
        found: dict[str, object] = json.loads((self.home / "run" / "events-status.json").read_text(encoding="utf-8"))
        return found
