"""`refresh.json`: since when builds fail, and why, until one succeeds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from transforms.errors import BuildFailed
from transforms.refresh_record import read_record, recorded

FIRST = datetime(2026, 3, 2, 10, tzinfo=UTC)


def fail(path: Path, at: datetime, reason: str) -> None:
    with pytest.raises(BuildFailed, match=reason), recorded(path, "0/1", at):
        raise BuildFailed([reason])


def test_failures_are_counted_from_the_first_until_a_build_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "marts" / "refresh.json"
    assert read_record(path) == {}

    fail(path, FIRST, "one")
    fail(path, FIRST + timedelta(hours=1), "two")
    failing = read_record(path)
    with recorded(path, "0/2", FIRST + timedelta(hours=2)):
        pass
    good = read_record(path)
    fail(path, FIRST + timedelta(hours=3), "three")

    assert (failing["failures"], failing["failingSince"]) == (2, FIRST.isoformat())
    assert "two" in str(failing["error"])
    assert (good["failures"], good["failingSince"], good["error"], good["lsn"]) == (0, None, None, "0/2")
    assert read_record(path)["failingSince"] == (FIRST + timedelta(hours=3)).isoformat()
