"""The state between two watermarks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from warehouse.lake.watermark import (
    LakeStateError,
    SnapshottedAnew,
    Source,
    TableVersion,
    Watermark,
    open_watermarks,
    watermark_at,
    write_watermark,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def write(lake: Path, lsn: int, things: TableVersion, kind: str = "stream") -> None:
    write_watermark(
        open_watermarks(str(lake)), Watermark(lsn, NOW, NOW, {"things": things}, Source("1", 1, "slot", kind))
    )


def test_the_base_is_the_earlier_one_and_the_log_the_later_one(tmp_path: Path) -> None:
    write(tmp_path, 100, TableVersion(changes=4, current=2, folded_lsn=90))
    write(tmp_path, 200, TableVersion(changes=7, current=3, folded_lsn=200))
    assert watermark_at(tmp_path, 150).versions == {"things": TableVersion(changes=7, current=2, folded_lsn=90)}


def test_a_table_that_stopped_between_two_watermarks_says_so(tmp_path: Path) -> None:
    write(tmp_path, 100, TableVersion(changes=4, current=2, folded_lsn=90))
    write(tmp_path, 200, TableVersion(4, 2, 90, stopped_lsn=100, error="column body: refused"))
    assert watermark_at(tmp_path, 150).versions == {"things": TableVersion(4, 2, 90, 100, "column body: refused")}


def test_a_table_that_was_healed_between_two_watermarks_is_still_stopped_there(tmp_path: Path) -> None:
    write(tmp_path, 100, TableVersion(4, 2, 90, stopped_lsn=80, error="column body: refused"))
    write(tmp_path, 200, TableVersion(changes=9, current=2, folded_lsn=90))
    assert watermark_at(tmp_path, 150).versions == {"things": TableVersion(4, 2, 90, 80, "column body: refused")}


def test_no_state_before_the_first_after_the_last_or_across_a_snapshot(tmp_path: Path) -> None:
    write(tmp_path, 100, TableVersion(1, 1, 100))
    write(tmp_path, 200, TableVersion(2, 2, 200), kind="snapshot")
    with pytest.raises(SnapshottedAnew, match="the lake begins at 0/64"):
        watermark_at(tmp_path, 50)
    with pytest.raises(SnapshottedAnew, match="snapshotted anew at 0/C8"):
        watermark_at(tmp_path, 150)
    with pytest.raises(LakeStateError, match="has reached 0/C8, not yet 0/12C"):
        watermark_at(tmp_path, 300)
