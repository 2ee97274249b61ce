"""Heartbeats: fresh, old, somebody else's, unreadable."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.runtime.health import exact, heartbeat


def _write(path: Path, pid: int, seconds_ago: float) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    path.write_text(json.dumps({"pid": pid, "updatedAt": moment.isoformat()}), encoding="utf-8")


@pytest.mark.parametrize(("pid", "seconds_ago", "ok"), [(7, 1, True), (7, 50, True), (7, 90, False), (8, 1, False)])
def test_a_heartbeat_counts_when_it_is_fresh_and_of_this_process(
    tmp_path: Path, pid: int, seconds_ago: float, ok: bool
) -> None:
    path = tmp_path / "status.json"
    _write(path, 7, seconds_ago)
    assert heartbeat(path)(pid).ok is ok


_NAIVE = '{"pid": 7, "updatedAt": "2026-01-01T00:00:00"}'


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 7}', '{"pid": 7, "updatedAt": "yesterday"}', _NAIVE])
def test_an_unreadable_heartbeat_is_no_heartbeat(tmp_path: Path, text: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(text, encoding="utf-8")
    assert heartbeat(path)(7).ok is False


@pytest.mark.parametrize(
    ("state", "ok"),
    [("streaming", True), ("snapshot", True), ("starting", False), ("waiting", False), ("failed", False)],
)
def test_a_heartbeat_that_says_it_does_not_work_is_not_health(tmp_path: Path, state: str, ok: bool) -> None:
    path = tmp_path / "status.json"
    path.write_text(
        json.dumps({"pid": 7, "state": state, "error": "gone", "updatedAt": datetime.now(UTC).isoformat()}),
        encoding="utf-8",
    )
    health = heartbeat(path)(7)
    assert health.ok is ok
    assert ok or health.detail == f"{state}: gone"


def test_no_heartbeat_yet(tmp_path: Path) -> None:
    assert heartbeat(tmp_path / "none.json")(7).detail == "no heartbeat yet"


@pytest.mark.parametrize(
    ("report", "detail"),
    [
        ({}, None),
        ({"stoppedTables": {}, "slot": {"walStatus": "extended", "alert": "the slot holds back 30 %"}}, None),
        (
            {"stoppedTables": {"orders": "table orders, column x: NaN"}},
            "stopped tables: orders (table orders, column x: NaN); once repaired, `souk lake mend orders`",
        ),
        ({"slot": {"walStatus": "lost", "alert": "the slot's log is lost"}}, "the slot's log is lost"),
    ],
)
def test_a_stopped_table_or_a_lost_log_is_not_health(
    tmp_path: Path, report: dict[str, object], detail: str | None
) -> None:
    path = tmp_path / "status.json"
    document = {"pid": 7, "state": "streaming", "updatedAt": datetime.now(UTC).isoformat(), **report}
    path.write_text(json.dumps(document), encoding="utf-8")
    health = exact(path, heartbeat(path))(7)
    assert (health.ok, None if health.ok else health.detail) == (detail is None, detail)
    assert heartbeat(path)(7).ok, "the supervisor does not restart it for that"
