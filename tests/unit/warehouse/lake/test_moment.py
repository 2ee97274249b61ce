"""Times between two watermarks whose changes the lake does not hold."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from warehouse.lake.moment import watermark_as_of
from warehouse.lake.watermark import SnapshottedAnew, Source, Watermark, open_watermarks, write_watermark

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def write(lake: Path, lsn: int, at: datetime, kind: str) -> None:
    mark = Watermark(lsn, at, at, {}, Source("1", 1, "slot", kind))
    write_watermark(open_watermarks(str(lake)), mark)


def test_no_state_at_a_time_that_a_new_snapshot_skipped(tmp_path: Path) -> None:
    write(tmp_path, 100, NOON, "stream")
    write(tmp_path, 200, NOON + 60 * SECOND, "snapshot")

    assert watermark_as_of(tmp_path, NOON).lsn == 100
    assert watermark_as_of(tmp_path, NOON + 60 * SECOND).lsn == 200
    with pytest.raises(SnapshottedAnew, match="snapshotted anew at 0/C8"):
        watermark_as_of(tmp_path, NOON + SECOND)


def test_nothing_changed_between_two_watermarks(tmp_path: Path) -> None:
    write(tmp_path, 100, NOON, "stream")
    write(tmp_path, 200, NOON + 60 * SECOND, "stream")

    assert watermark_as_of(tmp_path, NOON + SECOND).lsn == 100
