"""The hot log: what a torn or damaged file gives; readers see the same rows before, during and after a fold."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tests.harness.cdc import lab_contract
from tests.harness.pgoutput_messages import LINES, PAIRS, begin, commit, line, pair, relation
from warehouse import failpoints
from warehouse.cdc import apply
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.collect import Collector
from warehouse.cdc.hotlog import HotLog
from warehouse.contract import parse_contract
from warehouse.lake import hot
from warehouse.lake.errors import HotLogDamaged
from warehouse.lake.hot import hot_folder, segment_paths
from warehouse.lake.read import attach, connect, latest_watermark, read_changes, read_current, watermark_at, watermarks
from warehouse.lake.watermark import LakeStateError, Source, Watermark

TABLES = parse_contract(lab_contract()).by_name
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Lake:
    """A lake at LSN 10 with no rows, and the stream that its writer applies."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lake"
        self.spool = folder / "spool"
        self.writer = self.open()
        for name in TABLES:
            self.writer.snapshot_table(name, 10, [], first=True)
        self.writer.publish_snapshot(10, {}, NOW)
        self.stream = self.collector()
        self.described = False

    def open(self) -> LakeWriter:
        return LakeWriter(str(self.path), TABLES, Source("1", 1, "slot"))

    def collector(self) -> Collector:
        return Collector(TABLES, 10, self.spool, 10**9)

    def restart(self) -> None:
        """Another process opens the lake; the server sends again what it has not confirmed."""
        self.writer, self.stream, self.described = self.open(), self.collector(), False

    def apply(self, lsn: int, *numbers: int, pairs: int = 0) -> Watermark:
        """One transaction that inserts these lines and so many pairs."""
        self.stream.feed(begin(lsn - 1))
        if not self.described:
            self.stream.feed(relation(LINES))
            self.stream.feed(relation(PAIRS))
            self.described = True
        for message in [*map(line, numbers), *[pair()] * pairs]:
            self.stream.feed(message)
        self.stream.feed(commit(lsn))
        return self.writer.apply(self.stream.take())

    def lines(self, mark: Watermark | None = None) -> list[int]:
        """Ids of the lines at a watermark, the newest by default."""
        mark = mark or latest_watermark(self.path)
        assert mark is not None
        return sorted(read_current(self.path, "lines", mark)["line_id"].to_pylist())

    def changes(self) -> list[tuple[int, int]]:
        """(LSN, line id) of the change log."""
        mark = latest_watermark(self.path)
        assert mark is not None
        log = read_changes(self.path, "lines", mark)
        return list(zip(log["_commit_lsn"].to_pylist(), log["line_id"].to_pylist(), strict=True))

    @property
    def segment(self) -> Path:
        return segment_paths(hot_folder(self.path))[-1]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    yield Lake(tmp_path)
    failpoints.arm("", failpoints.POINTS)


def delta_commits(lake: Lake) -> int:
    return lake.writer.states["lines"].changes.version


def test_a_batch_is_readable_without_a_commit_to_delta(lake: Lake) -> None:
    before = delta_commits(lake)

    mark = lake.apply(20, 1, 2, pairs=1)

    assert (mark.lsn, lake.lines()) == (20, [1, 2])
    assert delta_commits(lake) == before
    newest = latest_watermark(lake.path)
    assert newest is not None
    assert (newest.lsn, newest.versions["lines"].changed_lsn, newest.versions["things"].changed_lsn) == (20, 20, 10)
    assert read_current(lake.path, "pairs", newest).num_rows == 1


def test_rows_are_the_same_before_and_after_the_fold_at_every_lsn(lake: Lake) -> None:
    lake.apply(20, 1, 2)
    lake.apply(30, 3)
    before = {lsn: lake.lines(watermark_at(lake.path, lsn)) for lsn in (10, 15, 20, 25, 30)}
    assert before == {10: [], 15: [], 20: [1, 2], 25: [1, 2], 30: [1, 2, 3]}
    assert watermark_at(lake.path, 25).versions["lines"].changed_lsn == 25

    lake.writer.fold()
    lake.apply(40, 4)

    assert {lsn: lake.lines(watermark_at(lake.path, lsn)) for lsn in before} == before
    assert lake.lines() == [1, 2, 3, 4]
    assert [mark.lsn for mark in watermarks(lake.path)] == [10, 30, 40]
    with pytest.raises(LakeStateError, match="has reached 0/28, not yet 0/32"):
        watermark_at(lake.path, 50)


def test_a_reader_keeps_its_state_through_any_number_of_folds(lake: Lake) -> None:
    """Its segment is removed meanwhile: the change log has the rows by then."""
    mark = lake.apply(20, 1, 2)
    for number in range(3, 8):
        lake.writer.fold()
        lake.apply(10 * number, number)

    assert not (hot_folder(lake.path) / f"{10:016x}.log").exists()
    assert lake.lines(mark) == [1, 2]
    with connect() as con:
        attach(con, lake.path, mark, "then", changes=True)
        assert con.execute('SELECT count(*) FROM "then".lines').fetchone() == (2,)
        assert con.execute('SELECT count(*) FROM "then".lines__changes').fetchone() == (2,)


def test_views_with_rows_of_the_hot_log_outlive_the_connection(lake: Lake, tmp_path: Path) -> None:
    mark = lake.apply(20, 1, 2)
    with duckdb.connect(str(tmp_path / "views.duckdb")) as con:
        attach(con, lake.path, mark)
    lake.writer.fold()
    with duckdb.connect(str(tmp_path / "views.duckdb")) as con:
        assert con.execute("SELECT count(*) FROM lake.lines").fetchone() == (2,)


def test_a_frame_torn_at_any_byte_is_as_if_it_was_never_written(lake: Lake) -> None:
    lake.apply(20, 1)
    whole = lake.segment.read_bytes()
    lake.apply(30, 2)
    last = lake.segment.read_bytes()[len(whole) :]

    for kept in (0, 1, 7, 8, 47, 48, 49, len(last) // 2, len(last) - 1):
        lake.segment.write_bytes(whole + last[:kept])
        assert lake.lines() == [1]
    lake.segment.write_bytes(whole + bytes(len(last)))  # the size reached the disk, the data did not
    lake.restart()

    assert lake.writer.lsn == 20
    assert lake.lines() == [1]
    lake.apply(30, 2)
    assert lake.changes() == [(20, 1), (30, 2)]


def test_a_damaged_frame_in_the_middle_is_named(lake: Lake) -> None:
    lake.apply(20, 1)
    begins = lake.segment.stat().st_size
    lake.apply(30, 2)
    ends = lake.segment.stat().st_size
    lake.apply(40, 3)
    data = bytearray(lake.segment.read_bytes())
    data[(begins + ends) // 2] ^= 1
    lake.segment.write_bytes(data)

    with pytest.raises(HotLogDamaged, match=rf"{10:016x}\.log, offset {begins}: a frame is damaged"):
        latest_watermark(lake.path)
    with pytest.raises(HotLogDamaged, match=rf"offset {begins}"):
        lake.restart()


@pytest.mark.parametrize(
    "point",
    ["cdc.fold_begin", "cdc.append_mid", "cdc.mid_tables", "cdc.before_watermark", "cdc.after_watermark",
     "cdc.hot_begin", "cdc.hot_expire"],
)  # fmt: skip
@pytest.mark.parametrize("passage", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_a_fold_broken_off_anywhere_is_done_again_exactly(lake: Lake, point: str, passage: int) -> None:
    applied = [(20, 1), (30, 2), (40, 3)]
    for lsn, number in applied:
        lake.apply(lsn, number, pairs=1)
    failpoints.arm(f"{point}@{passage}=error", failpoints.POINTS)

    def go_on() -> None:
        for lsn in range(50, 90, 10):
            lake.writer.fold()
            lake.apply(lsn, lsn, pairs=1)
            applied.append((lsn, lsn))

    with pytest.raises(failpoints.FailpointError):
        go_on()
    assert lake.lines() == [number for _, number in applied]

    lake.restart()

    assert lake.writer.lsn == applied[-1][0]
    assert lake.changes() == applied
    lake.apply(100, 100)
    assert lake.changes() == [*applied, (100, 100)]


def test_without_the_lsn_in_the_commit_a_fold_done_again_doubles_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    lake.apply(20, 1)
    failpoints.arm("cdc.before_watermark=error", failpoints.POINTS)
    with pytest.raises(failpoints.FailpointError):
        lake.writer.fold()
    monkeypatch.setattr(apply, "durable_lsn", lambda table: 0)

    lake.restart()

    assert lake.changes() == [(20, 1), (20, 1)]


def test_a_position_moves_the_lake_without_rows(lake: Lake) -> None:
    lake.apply(20, 1)

    lake.writer.append_hot(35, NOW, [])

    mark = latest_watermark(lake.path)
    assert mark is not None
    assert (mark.lsn, mark.versions["lines"].changed_lsn, lake.lines()) == (35, 20, [1])
    lake.restart()
    assert lake.writer.lsn == 35


def test_a_hot_log_without_its_lake_is_not_taken_for_one(lake: Lake) -> None:
    """The Delta tables are those of an older copy: the batches between the two are missing."""
    lake.apply(20, 1)
    lake.writer.fold()
    lake.apply(30, 2)
    for entry in (lake.path / "_watermarks" / "_delta_log").glob("*2.json"):
        entry.unlink()

    lake.restart()

    assert lake.writer.lsn == 10
    mark = latest_watermark(lake.path)
    assert mark is not None
    assert mark.lsn == 10


def test_a_hot_log_of_another_lake_at_the_same_positions_is_not_taken_for_ones_own(lake: Lake, tmp_path: Path) -> None:
    lake.apply(20, 1)
    other = Lake(tmp_path / "other")
    other.apply(20, 7)
    shutil.copy(other.segment, lake.segment)

    lake.restart()

    assert (lake.writer.lsn, lake.lines()) == (10, [])


def test_a_hot_log_of_another_object_store_is_nobodys(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """On object stores all lie in one folder."""
    lake.apply(20, 1)
    monkeypatch.setattr(hot, "hot_folder", lambda _: hot_folder(lake.path))
    assert b'"lakeUri":null' in lake.segment.read_bytes()
    begun = HotLog(hot_folder(lake.path))
    newest = hot.newest_segment(lake.path)
    assert newest is not None
    begun.begin(30, NOW, dict(newest.mark) | {"lakeUri": "s3://one/lake"})
    assert hot.newest_segment("s3://two/lake") is None
    mine = hot.newest_segment("s3://one/lake/")
    assert mine is not None
    assert mine.lsn == 30


def test_a_segment_begun_anew_in_a_file_of_the_same_number_is_read_anew(lake: Lake) -> None:
    lake.apply(20, 1)
    lake.writer.fold()
    mark = latest_watermark(lake.path)
    path, before = lake.segment, lake.segment.read_bytes()
    assert mark is not None
    lake.writer.stop({"lines": "table lines: NaN"})
    assert lake.segment == path
    after = path.read_bytes()
    path.write_bytes(before)
    newest = latest_watermark(lake.path)
    assert newest is not None
    assert newest.versions["lines"].error is None

    path.write_bytes(after)  # the file keeps its number

    newest = latest_watermark(lake.path)
    assert newest is not None
    assert newest.versions["lines"].error == "table lines: NaN"


def test_an_append_that_fails_leaves_the_log_as_it_was(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.apply(20, 1)
    size = lake.segment.stat().st_size

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space left"):
            lake.apply(30, 2)
    assert lake.segment.stat().st_size == size
    assert lake.lines() == [1]


def test_a_batch_behind_a_segment_that_could_not_be_begun_waits_for_the_disk(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch was on its way when the disk became full: that is the disk's error too, and no other."""
    lake.apply(20, 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space left"):
            lake.writer.fold()
    with pytest.raises(OSError, match="no segment of the hot log has begun"):
        lake.apply(30, 2)
    lake.restart()
    lake.apply(30, 2)
    assert lake.lines() == [1, 2]


def test_large_batches_go_to_delta_directly_after_what_came_before(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.apply(20, 1)
    monkeypatch.setattr(apply, "_HOT_BATCH_BYTES", 1)

    mark = lake.apply(30, 2)

    assert (mark.lsn, mark.versions["lines"].hot) == (30, None)
    assert lake.lines() == [1, 2]
    assert lake.changes() == [(20, 1), (30, 2)]
