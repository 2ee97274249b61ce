"""The loop between a stream and the lake does per-event work only where an event needs it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from warehouse.events.entries import Entry, Landed, Positions, reached_by
from warehouse.events.main import Consumer
from warehouse.events.status import EventsStatus
from warehouse.settings import EventSettings
from warehouse.stop import Stop


class Trickle:
    """A stream in which each read finds one entry; it asks the consumer to stop after the last one."""

    def __init__(self, count: int, stop: Stop) -> None:
        self._left, self._stop = count, stop
        self.asked, self.acknowledged = 0, dict[str, int]()

    def open(self, landed: Positions) -> Sequence[str]:
        return ["p"] if landed("p") > self._left else []

    def read(self, limit: int, wait_seconds: float) -> list[Entry]:
        self._left -= 1
        if not self._left:
            self._stop.ask()
        return [Entry("p", 1_000 - self._left, "x", datetime.now(UTC), {})]

    def acknowledge(self, positions: Mapping[str, int]) -> None:
        self.acknowledged |= positions

    def length(self) -> int:
        self.asked += 1
        return 0

    def close(self) -> None:
        """Nothing is open."""


class Lake:
    """Counts what it is asked for."""

    def __init__(self, position: int = 0) -> None:
        self._position = position
        self.tidied = self.landed = 0
        self.restarted: list[str] = []

    def position(self, partition: str) -> int:
        return self._position

    def restart(self, partition: str) -> None:
        self.restarted.append(partition)

    def land(self, entries: Sequence[Entry]) -> Landed:
        self.landed += len(entries)
        return Landed(rows=len(entries), reached=reached_by(entries))

    def tidy(self) -> None:
        self.tidied += 1


def consume(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> tuple[Trickle, int]:
    """300 events one by one; returns the stream and how often the status was written."""
    stop = Stop()
    stream = Trickle(300, stop)
    settings = EventSettings.model_validate({"SOUK_HOME": str(tmp_path), "SOUK_EVENTS_FLUSH_SECONDS": 60})
    status = EventsStatus(tmp_path / "status.json")
    reported: list[str] = []
    monkeypatch.setattr(status, "report", lambda state, **_: reported.append(state))

    Consumer(settings, stream, lake, status).run(stop)
    return stream, len(reported)


def test_the_status_and_the_files_are_looked_at_once_a_second_not_once_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake()

    stream, reported = consume(tmp_path, lake, monkeypatch)

    assert (lake.landed, stream.acknowledged) == (300, {"p": 1_000})
    assert 1 <= lake.tidied <= 3
    assert 1 <= reported == stream.asked <= 4


def test_a_lake_is_told_of_a_stream_that_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, anew = Lake(), Lake(1_000)

    consume(tmp_path, before, monkeypatch)
    consume(tmp_path, anew, monkeypatch)

    assert (before.restarted, anew.restarted) == ([], ["p"])
