"""A recommender for tests: a real process with serving's HTTP contract, whose answers and faults the test sets.

`python -m tests.harness.fake_serving PORT` serves; `POST /behave {"mode": ..., "items": [...], "similarity": {product:
cosine}, "affinity": {product: share}}` changes what it does: `ok`, `slow` (answers after two seconds), `error` (500),
`rubbish` (not JSON), `wrong` (JSON of another shape), `huge`. `GET /asked` lists the bodies of the requests.
`POST /v1/toxicity` finds texts as toxic as `{"toxic": {text: score}}` of `/behave` says, and all others not at all.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.harness.api import PLAIN
from tests.harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
VERSION = "model-7"


class _Handler(BaseHTTPRequestHandler):
    behaviour: dict[str, Any] = {"mode": "ok", "items": [], "similarity": None, "affinity": None, "toxic": {}}  # noqa: RUF012 - one server, one behaviour
    asked: list[dict[str, Any]] = []  # noqa: RUF012 - as above

    def do_GET(self) -> None:
        self._send(200, json.dumps(self.asked).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/behave":
            self.behaviour.update(body)
            self.asked.clear()
            self._send(200, b"{}")
            return
        self.asked.append({"path": self.path, **body})
        mode = self.behaviour["mode"]
        if mode == "slow":
            time.sleep(2)
        if self.path == "/v1/toxicity" and mode == "ok":
            scores = [self.behaviour["toxic"].get(text.strip(), 0.0) for text in body["texts"]]
            self._send(200, json.dumps({"scores": scores}).encode())
            return
        answer = {"items": self.behaviour["items"], "source": "personal", "modelVersion": VERSION}
        if self.path == "/v1/search-scores":
            answer = {part: self._scores(part, body["productIds"]) for part in ("similarity", "affinity")}
        bodies = {
            "rubbish": b"<html>no</html>",
            "wrong": b'{"items": [{"productId": 7}], "similarity": [7], "affinity": {}}',
            "huge": b'{"items": "' + b"x" * 2_000_000 + b'"}',
        }
        self._send(500 if mode == "error" else 200, bodies.get(mode, json.dumps(answer).encode()))

    def _scores(self, part: str, products: list[str]) -> list[Any] | None:
        known = self.behaviour[part]
        return None if known is None else [known.get(product) for product in products]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass


class RecommenderProcess:
    """One fake serving process on its own port; tests can stop it and start it again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.harness.fake_serving", str(self.port)], cwd=ROOT)
        for _ in range(200):
            try:
                httpx.get(f"{self.url}/asked", trust_env=False, verify=PLAIN)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the fake recommender did not start")

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)

    def behave(self, mode: str, products: list[str] | None = None) -> None:
        """`products` become the items, best first, with falling scores."""
        items = [
            {"productId": product, "score": round(1 - i / 100, 2), "reason": "Because you looked at this"}
            for i, product in enumerate(products or [])
        ]
        httpx.post(
            f"{self.url}/behave", json={"mode": mode, "items": items}, trust_env=False, verify=PLAIN
        ).raise_for_status()

    def score(self, similarity: dict[str, float] | None = None, affinity: dict[str, float] | None = None) -> None:
        """From now on it knows this of products, and forgets what it was asked."""
        body = {"mode": "ok", "similarity": similarity, "affinity": affinity}
        httpx.post(f"{self.url}/behave", json=body, trust_env=False, verify=PLAIN).raise_for_status()

    def find_toxic(self, toxic: dict[str, float]) -> None:
        """Answer, and find these texts so toxic."""
        body = {"mode": "ok", "toxic": toxic}
        httpx.post(f"{self.url}/behave", json=body, trust_env=False, verify=PLAIN).raise_for_status()

    def asked(self) -> list[dict[str, Any]]:
        bodies: list[dict[str, Any]] = httpx.get(f"{self.url}/asked", trust_env=False, verify=PLAIN).json()
        return bodies


@contextmanager
def running_recommender() -> Iterator[RecommenderProcess]:
    """A started fake recommender, stopped at the end."""
    process = RecommenderProcess()
    process.start()
    try:
        yield process
    finally:
        process.stop()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
