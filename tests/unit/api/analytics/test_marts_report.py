"""Why the marts are old: a build or a refresh that fails, or a refresh that waits for a build."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.analytics.marts_report import Old, old_marts

SINCE = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
FAILING, WAITING = {"failingSince": SINCE.isoformat()}, {"behindSince": SINCE.isoformat(), "needsBuild": "no state"}
FAILS, WAITS = Old("refreshing them fails", SINCE), Old("they wait for a full build", SINCE)


@pytest.mark.parametrize(
    ("build", "refreshes", "age", "old"),
    [
        (FAILING, {}, 0, FAILS),
        ({}, FAILING | WAITING, 0, FAILS),
        ({}, WAITING, 0, WAITS),
        ({}, WAITING, 61, None),  # that process is gone
        ({}, {"behindSince": SINCE.isoformat(), "needsBuild": None}, 0, None),
        ({}, {"behindSince": None, "needsBuild": "no state"}, 0, None),
        ({"failingSince": None}, {"failingSince": None}, 0, None),
        ([], {}, 0, None),
    ],
)
def test_the_page_says_why_the_marts_are_old(
    build: object, refreshes: dict[str, object], age: int, old: Old | None, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    updated = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    (tmp_path / "refresh.json").write_text(json.dumps(build))
    (tmp_path / "run" / "marts-status.json").write_text(json.dumps({"updatedAt": updated} | refreshes))

    assert old_marts(tmp_path / "souk.duckdb", tmp_path) == old


def test_marts_of_which_nobody_reports_are_not_called_old(tmp_path: Path) -> None:
    assert old_marts(tmp_path / "souk.duckdb", tmp_path) is None
