"""The file of alerts: each is raised once and resolved once."""

from itertools import product
from pathlib import Path

from orchestration.alert_log import Alert, AlertLog


def alert(number: int, subject: str = "refresh", *, resolved: bool = False) -> Alert:
    return Alert(number, "2026-03-01T12:00:00+00:00", "run_failed", subject, "it broke\u2028there", resolved)


def test_an_alert_is_raised_once_and_resolved_once(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "run" / "alerts.jsonl")

    first = log.append([alert(1), alert(2), alert(3, "rebuild")])
    again = log.append([alert(1), alert(3, "rebuild"), alert(4)])
    end = log.append([alert(5, resolved=True), alert(6, resolved=True)])

    assert [one.id for one in first] == [1, 3]
    assert again == []
    assert [one.id for one in end] == [5]
    assert log.open() == [alert(3, "rebuild")]
    assert log.read() == [alert(1), alert(3, "rebuild"), alert(5, resolved=True)]


def test_an_end_without_a_beginning_is_no_event(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl")

    assert log.append([alert(1, resolved=True)]) == []
    assert log.open() == []
    assert not log.path.exists()


def test_events_that_are_read_again_change_nothing(tmp_path: Path) -> None:
    """Each tick of the sensor reads events again: ends of nothing, second alerts on an open subject, and ends."""
    for number, states in enumerate(product((False, True), repeat=4)):
        events = [alert(1 + place, resolved=resolved) for place, resolved in enumerate(states)]
        once, ticks = AlertLog(tmp_path / f"{number}.once"), AlertLog(tmp_path / f"{number}.ticks")
        once.append(events)
        for read in range(1, len(events) + 1):
            ticks.append(events[:read])
            assert ticks.append(events[:read]) == [], (states, read)
            assert [one.id for one in ticks.open()] == ([] if states[read - 1] else [ticks.read()[-1].id])
        assert ticks.read() == once.read(), states


def test_the_file_is_bounded(tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl")

    log.append(alert(number, str(number)) for number in range(1_200))

    assert [one.id for one in log.read()] == list(range(200, 1_200))
