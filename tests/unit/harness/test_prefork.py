"""The parent of forked processes tells each child's end, also when the kernel gives one pid to several of them."""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.harness import prefork

PID = 4711
RUNS = (0, 0)


def test_a_child_that_got_the_pid_of_an_earlier_one_runs_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pids begin again after pid_max; the earlier child's end must not be taken for the later one's."""
    waits = iter([(PID, signal.SIGKILL.value), RUNS, RUNS, (PID, 256)])
    requests: list[dict[str, object]] = [
        {"number": 1, "child": {}},
        {"number": 1},
        {"number": 2, "child": {}},
        {"number": 2},
        {"number": 1},
        {"number": 2},
        {"number": 2},
        {"number": 2},
    ]
    assert _answers(monkeypatch, requests, waits) == [PID, -9, PID, None, -9, None, 1, 1]
    assert list(waits) == []


def _answers(
    monkeypatch: pytest.MonkeyPatch, requests: list[dict[str, object]], waits: Iterator[tuple[int, int]]
) -> list[int | None]:
    """What the parent answers, where every fork has the same pid and `waits` is what the kernel says of it."""
    output = io.StringIO()
    monkeypatch.setattr(prefork, "IMPORTS", ())
    monkeypatch.setattr(os, "fork", lambda: PID)
    monkeypatch.setattr(os, "waitpid", lambda _pid, _options: next(waits))
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(json.dumps(request) + "\n" for request in requests)))
    monkeypatch.setattr(sys, "stdout", output)
    prefork.serve_requests()
    return [json.loads(line) for line in output.getvalue().splitlines()]
