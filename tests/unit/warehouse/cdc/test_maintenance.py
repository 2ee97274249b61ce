"""What runs between batches: a lake aged past both limits, of rows and of log entries, stays readable; a damaged file
is its table's failure."""

import os
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn, cast

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.harness.cdc import lab_contract
from warehouse.cdc import maintenance
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.maintenance import Cadence, Maintenance
from warehouse.cdc.poison import TableFailed
from warehouse.contract import parse_contract
from warehouse.lake.append import DataFile
from warehouse.lake.read import attach, connect, latest_watermark, read_current
from warehouse.lake.watermark import Source, watermarks

TABLES = parse_contract(lab_contract()).by_name
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CADENCE = Cadence(fold_rows=1, fold_seconds=0, fold_files=8, retention_hours=0)


class Aging:
    """A lake whose clock can be set forward. `hours` runs the maintenance of a process that has nothing else to do."""

    def __init__(self, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lake = lake
        self._ahead = 0.0
        now = SimpleNamespace(monotonic=lambda: time.monotonic() + self._ahead)
        monkeypatch.setattr(maintenance, "time", now)
        self._aside = ThreadPoolExecutor(1)
        self.start()
        for name in TABLES:
            self.writer.snapshot_table(name, 10, [], first=True)
        self.writer.publish_snapshot(10, {}, NOW)

    def start(self) -> None:
        """A process opens the lake."""
        self.writer = LakeWriter(str(self.lake), TABLES, Source("1", 1, "slot"))
        self.maintenance = Maintenance(self.writer, CADENCE)

    def append(self, lsn: int, line: int | None = None, op: str = "i") -> None:
        rows = [{"line_id": line or lsn, "quantity": 1, "created_at": NOW, "_op": op, "_commit_lsn": lsn, "_ordinal": 1,
                 "_commit_ts": NOW}]  # fmt: skip
        self.writer.append_hot(lsn, NOW, [("lines", pa.RecordBatch.from_pylist(rows, TABLES["lines"].changes_schema))])

    def fold_eight(self) -> None:
        for lsn in range(20, 100, 10):
            self.append(lsn)
            self.writer.fold()

    def step(self) -> str | None:
        """One piece of work, and a base rewrite that it began."""
        done = self.maintenance.run_next(self._aside)
        self._aside.submit(int).result()
        return done

    def work(self) -> list[str]:
        """Everything that is due now."""
        done = [self.step(), self.step()]
        while done[-2:] != [None, None]:
            done.append(self.step())
        return [step for step in done if step]

    def hours(self, count: int) -> list[str]:
        """So many hours, each as old as three days to delta-rs, with a checkpoint that lets older entries go."""
        done = self.work()
        for _ in range(count):
            for state in self.writer.states.values():
                for table in (state.changes, state.current):
                    table.through(DeltaTable.create_checkpoint)
            for entry in self.lake.rglob("_delta_log/*"):
                os.utime(entry, (time.time() - 3 * 86_400,) * 2)
            for _ in range(4):
                self._ahead += 900
                done += self.work()
        return done

    def lines(self) -> list[int]:
        """Read as others do: the whole lake, and one table."""
        mark = latest_watermark(self.lake)
        assert mark is not None
        with connect() as con:
            attach(con, self.lake, mark)
            viewed = [row[0] for row in con.execute("SELECT line_id FROM lake.lines ORDER BY 1").fetchall()]
        assert sorted(read_current(self.lake, "lines", mark)["line_id"].to_pylist()) == viewed
        return viewed

    def bytes_of(self, part: str) -> set[int]:
        """The files of `lines` in the newest version, by inode: a file with two names has one."""
        state = self.writer.states["lines"]
        table = state.changes if part == "changes" else state.current
        return {Path(table.root, path).stat().st_ino for path in table.files}


@pytest.fixture
def aging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aging:
    return Aging(tmp_path / "lake", monkeypatch)


def test_a_lake_without_changes_past_its_retention_is_read_and_started(aging: Aging) -> None:
    """Its files were joined and its base rewritten after the last change."""
    aging.fold_eight()
    done = aging.hours(4)
    assert {"join", "expire"} <= set(done)
    assert aging.lines() == [*range(20, 100, 10)]
    assert len(aging.writer.states["lines"].changes.files) == 1
    assert len(watermarks(aging.lake)) <= 2, "older ones are not readable any more, so they are not offered"
    aging.start()
    aging.append(100)
    aging.writer.fold()
    assert aging.lines() == [*range(20, 110, 10)]


def test_a_stopped_table_stays_readable_while_others_stream_for_days(aging: Aging) -> None:
    aging.fold_eight()
    aging.writer.stop({"lines": "table lines: NaN"})
    aging.hours(4)
    aging.start()
    mark = latest_watermark(aging.lake)
    assert mark is not None
    assert (mark.versions["lines"].stopped_lsn, mark.versions["lines"].error) == (90, "table lines: NaN")
    assert aging.lines() == [*range(20, 100, 10)]


def test_a_base_that_no_watermark_names_survives_its_writer(aging: Aging) -> None:
    """Killed between the rewrite and the next watermark: the files of the base before it are deleted in time."""
    aging.fold_eight()
    aging.step()
    state = aging.writer.states["lines"]
    assert (state.current.rows, state.base.lsn) == (8, 10)
    aging.start()
    aging.hours(3)
    assert aging.lines() == [*range(20, 100, 10)]


def test_a_base_of_nothing_but_inserts_is_the_change_logs_files(aging: Aging) -> None:
    """Stored once, also when they are joined; a change or a delete ends it, and rows are as ever."""
    for lsn in range(20, 110, 10):
        aging.append(lsn)
        aging.writer.fold()
        aging.work()
        assert aging.bytes_of("current") <= aging.bytes_of("changes")
    state = aging.writer.states["lines"]
    assert (state.current.rows, state.base.lsn) == (9, 100)
    assert len(state.changes.files) == len(state.current.files) == 1, "they were joined, for both"
    assert aging.lines() == [*range(20, 110, 10)]
    aging.start()
    aging.append(110)
    aging.append(120, line=30, op="u")
    aging.append(130, line=40, op="d")
    aging.writer.fold()
    aging.work()
    state = aging.writer.states["lines"]
    assert (state.base.lsn, aging.bytes_of("current") & aging.bytes_of("changes")) == (130, set())
    assert aging.lines() == [20, 30, *range(50, 120, 10)]


def test_a_second_name_left_by_a_killed_writer_is_taken(aging: Aging) -> None:
    aging.append(20)
    aging.writer.fold()
    state = aging.writer.states["lines"]
    [path] = state.changes.files
    os.link(Path(state.changes.root, path), Path(state.current.root, path))

    aging.work()

    assert aging.bytes_of("current") == aging.bytes_of("changes")
    aging.append(30)
    aging.writer.fold()
    assert aging.lines() == [20, 30]


@pytest.mark.parametrize("work", ["join", "rewrite"])
def test_a_damaged_file_is_the_failure_of_its_table(aging: Aging, work: str) -> None:
    aging.fold_eight()
    changes = aging.writer.states["lines"].changes
    for path in changes.files:
        Path(changes.root, path).write_bytes(b"no Parquet")
    if work == "rewrite":
        changes.files.popitem()  # seven files are not joined
    with pytest.raises(TableFailed, match="table lines: ") as caught:
        aging.work()
    assert caught.value.table == "lines"


class BeingWritten(dict[str, DataFile]):
    """Files that another thread changes while this one looks."""

    def values(self) -> NoReturn:
        raise RuntimeError("dictionary changed size during iteration")


def test_the_files_of_a_base_are_not_looked_at_while_it_is_rewritten(aging: Aging) -> None:
    aging.fold_eight()
    never: Future[int] = Future()
    aside = SimpleNamespace(submit=lambda *_: never)
    assert aging.maintenance.run_next(cast("Executor", aside)) == "join"
    aging.writer.states["lines"].current.files = BeingWritten()
    aging.append(100)
    assert [aging.maintenance.run_next(cast("Executor", aside)) for _ in range(3)] == ["fold", "join", None]
