"""The real recommender for tests: `python -m serving` in a separate process, used over HTTP."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.harness.api import PLAIN
from tests.harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


class ServingProcess:
    """One running recommender over a state directory."""

    def __init__(self, home: Path, redis_url: str, **env: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = home / "serving.log"
        settings = {
            "SOUK_HOME": str(home),
            "REDIS_URL": redis_url,
            "SOUK_SERVING_URL": self.url,
            "SOUK_SERVING_WATCH_SECONDS": "0.1",
        }
        settings |= {
            f"SOUK_SERVING_{part}_MS": "1000" for part in ("ONLINE", "SEQUENTIAL", "RANK")
        }  # long deadlines, so that a busy machine fails no test
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving"],
                cwd=ROOT,
                env={**os.environ, **settings, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.client = httpx.Client(base_url=self.url, timeout=10, verify=PLAIN)
        self._wait_until_live()

    @property
    def pid(self) -> int:
        """The pid of the process."""
        return self._process.pid

    def for_you(self, user_id: str | None = None, recent: list[str] | None = None, limit: int = 6) -> dict[str, object]:
        """POST /v1/for-you; the answer must be 200."""
        return self._post("/v1/for-you", {"userId": user_id, "recent": recent or [], "limit": limit})

    def related(self, product_id: str, limit: int = 6) -> dict[str, object]:
        """POST /v1/related; the answer must be 200."""
        return self._post("/v1/related", {"productId": product_id, "limit": limit})

    def wait_for_version(self, version: str, seconds: float = 30) -> float:
        """Wait until an answer has this model version; returns the seconds."""
        started = time.monotonic()
        while self.for_you()["modelVersion"] != version:
            assert time.monotonic() - started < seconds, f"{version} never served:\n{self.log.read_text()}"
            time.sleep(0.02)
        return time.monotonic() - started

    def counter(self, name: str, **labels: str) -> float:
        """One sample of /metrics; 0 when it does not exist."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(name) and all(label in line for label in wanted):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def stop(self) -> None:
        """SIGTERM and wait."""
        self.client.close()
        self._process.terminate()
        self._process.wait(20)

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        document: dict[str, object] = answer.json()
        return document

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/health/live").status_code == 200:
                    return
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def running_serving(home: Path, redis_url: str, **env: str) -> Iterator[ServingProcess]:
    """A started recommender, stopped at the end."""
    process = ServingProcess(home, redis_url, **env)
    try:
        yield process
    finally:
        process.stop()


def products(answer: dict[str, object]) -> list[str]:
    """The product ids of an answer, in order."""
    items = answer["items"]
    assert isinstance(items, list)
    return [item["productId"] for item in items]


def reasons(answer: dict[str, object]) -> dict[str, str]:
    """Product id -> reason."""
    items = answer["items"]
    assert isinstance(items, list)
    return {item["productId"]: item["reason"] for item in items}
