"""The line of each request: the same as any other log line, and a writer that stalls holds nobody."""

import asyncio
import json
import threading

import httpx
import pytest
import structlog
from fastapi import FastAPI

from api.kernel import logs, request_log
from api.kernel.logs import trace_id
from api.kernel.middleware import RequestMiddleware
from api.kernel.request_log import ATOMIC_BYTES, RequestLog


class Written:
    """Takes what is written to stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pieces: list[str] = []
        self.go = threading.Event()
        self.go.set()
        monkeypatch.setattr(request_log, "Forgiving", lambda: self)

    def write(self, text: str) -> None:
        self.go.wait(10)
        self.pieces.append(text)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in "".join(self.pieces).splitlines()]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    return Written(monkeypatch)


async def test_a_request_has_one_line_as_the_log_renders_it(written: Written) -> None:
    log, app = RequestLog(), FastAPI()
    app.add_middleware(RequestMiddleware, max_body_bytes=100, log=log)

    @app.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/things/secret?token=secret")
    log.close()

    (line,) = written.lines
    token = trace_id.set(answer.headers["x-trace-id"])
    fields = {"module": "api.kernel.middleware", "method": "GET", "route": "/things/{thing}", "status": 200}
    rendered = json.loads(_rendered("request", **fields, ms=line["ms"]))
    trace_id.reset(token)
    assert str(line.pop("timestamp")).endswith("Z")
    rendered.pop("timestamp")
    assert line == rendered
    assert list(line) == list(rendered)
    assert "secret" not in "".join(written.pieces)


def _rendered(event: str, **fields: object) -> str:
    """What the processors of every other line make of it."""
    before = structlog.get_config()
    try:
        logs.configure("info")
        line: object = {**fields, "event": event}
        for processor in structlog.get_config()["processors"]:
            line = processor(None, "info", line)
    finally:
        structlog.configure(**before)
    return str(line)


async def test_a_writer_that_stalls_holds_no_request_and_the_lines_it_costs_are_counted(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "FLUSH_SECONDS", 0.001)
    monkeypatch.setattr(request_log, "MAX_WAITING", 10)
    written.go.clear()
    log = RequestLog()
    log.write("GET", "/first", 200, 0.001, "t")
    await asyncio.sleep(0.05)
    for number in range(25):
        log.write("GET", f"/{number}", 200, 0.001, "t")
    await asyncio.sleep(0.05)
    assert written.lines == []
    written.go.set()
    log.close()

    assert [line["route"] for line in written.lines[:-1]] == ["/first", *(f"/{number}" for number in range(10))]
    assert written.lines[-1]["event"] == "request lines lost"
    assert written.lines[-1]["count"] == 15


async def test_lines_are_written_together_in_whole_lines_of_what_a_pipe_takes_at_once(written: Written) -> None:
    log = RequestLog()
    for number in range(100):
        log.write("GET", f"/{number}", 200, 0.001, "t" * 32)
    log.close()

    assert [line["route"] for line in written.lines] == [f"/{number}" for number in range(100)]
    assert 1 < len(written.pieces) < 10
    assert all(len(piece) <= ATOMIC_BYTES and piece.endswith("\n") for piece in written.pieces)
