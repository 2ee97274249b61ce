"""The lake's single writer: stopped tables, refused values and what a dying process leaves, without a Postgres."""

from array import array
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tests.harness.cdc import lab_contract
from warehouse.cdc.apply import LakeWriter
from warehouse.cdc.batch import Batch, Group
from warehouse.cdc.columns import Layout, ValueRefused
from warehouse.cdc.pgoutput import Relation
from warehouse.contract import Table, parse_contract
from warehouse.lake import append, commit
from warehouse.lake.read import latest_watermark, read_current
from warehouse.lake.watermark import Source

TABLES = parse_contract(lab_contract()).by_name
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rows(table: Table, *ids: int) -> pa.Table:
    """Rows of `lines`."""
    return pa.Table.from_pylist(
        [{"line_id": number, "quantity": number, "created_at": NOW} for number in ids], schema=table.data_schema
    )


def open_writer(lake: Path, *, left_out: dict[str, str] | None = None, behind: float | None = None) -> LakeWriter:
    return LakeWriter(str(lake), TABLES, Source("1", 1, "slot"), left_out, behind=lambda: behind)


@pytest.fixture
def writer(tmp_path: Path) -> LakeWriter:
    """A lake at LSN 10 with two lines and nothing else."""
    writer = open_writer(tmp_path)
    for name, table in TABLES.items():
        writer.snapshot_table(name, 10, [rows(table, 1, 2)] if name == "lines" else [], first=True)
    writer.publish_snapshot(10, {}, NOW)
    return writer


def batch(lsn: int, *, stopped: dict[str, tuple[int, str]] | None = None, refused: str | None = None) -> Batch:
    """One transaction that ends at `lsn`; `refused`: rows of `lines` that no column can hold."""
    made = Batch()
    made.lsn = lsn
    made.transactions.first_seq, made.transactions.end_lsn, made.transactions.commit_micros = [0], [lsn], [0]
    made.stopped = stopped or {}
    if refused:
        group = Group(Layout(TABLES["lines"], Relation(1, "public", "lines", "d", ()), ()))
        group.error = ValueRefused(refused)
        made.groups[b"x"] = group
    return made


def shown(writer: LakeWriter, name: str = "lines") -> tuple[int | None, str | None]:
    mark = latest_watermark(writer.lake)
    assert mark is not None
    return mark.versions[name].stopped_lsn, mark.versions[name].error


def test_a_table_that_stops_again_while_it_heals_is_not_shown_as_exact(writer: LakeWriter) -> None:
    writer.apply(batch(20, stopped={"lines": (10, "column note: refused")}))
    writer.snapshot_table("lines", 30, [rows(TABLES["lines"], 1)], first=False)
    writer.apply(batch(40, stopped={"lines": (35, "column note: refused again")}))
    assert shown(writer) == (10, "column note: refused")
    assert writer.missing() == ["lines"]
    writer.apply(batch(50))
    assert shown(writer) == (10, "column note: refused")


def test_a_refused_value_takes_the_whole_batch_from_its_table(writer: LakeWriter) -> None:
    """The relation also changed further on in the batch: but what came before that is not in the lake either."""
    writer.apply(batch(20, stopped={"lines": (15, "another type")}, refused="column quantity: NaN"))
    assert shown(writer) == (10, "column quantity: NaN")


def test_a_refused_value_in_a_spilled_batch_stops_its_table_only(
    writer: LakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Group, "spilled", True)  # as after the first part of a large transaction
    writer.apply(batch(20, refused="column quantity: NaN"))
    assert shown(writer) == (10, "column quantity: NaN")
    assert shown(writer, "things") == (None, None)


def test_a_table_waiting_for_a_snapshot_is_stopped_before_it_begins(writer: LakeWriter) -> None:
    writer.stop({"lines": "waiting for a snapshot with colour"})
    writer.snapshot_table("lines", 30, [rows(TABLES["lines"], 1, 2, 3)], first=False)
    found = open_writer(Path(writer.lake))  # the process died before the next watermark
    assert found.missing() == ["lines"]
    found.apply(batch(20))
    mark = latest_watermark(writer.lake)
    assert mark is not None
    assert (mark.lsn, mark.versions["lines"].stopped_lsn) == (20, 10)
    assert read_current(writer.lake, "lines", mark).num_rows == 2


def test_a_stop_after_a_snapshot_keeps_the_gap_before_it(writer: LakeWriter) -> None:
    writer.stop({"lines": "waiting"})
    mark = latest_watermark(writer.lake)
    assert mark is not None
    assert mark.source is not None
    assert (mark.lsn, mark.source.kind) == (10, "snapshot")


def test_a_lake_in_a_folder_with_a_space_and_an_umlaut(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "my läke")
    for name in TABLES:
        writer.snapshot_table(name, 10, [rows(TABLES[name], 1, 2)] if name == "lines" else [], first=True)
    mark = writer.publish_snapshot(10, {}, NOW)
    changes = writer.states["lines"].changes
    changes.join(list(changes.files.values()))
    assert sorted(read_current(writer.lake, "lines", mark)["line_id"].to_pylist()) == [1, 2]


def test_everything_a_watermark_rests_on_is_synced(writer: LakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, log entries and checkpoints, a join's included: its commit lies below the next batch's."""
    synced: set[int] = set()
    for module in (append, commit):
        monkeypatch.setattr(module, "sync", lambda path: synced.add(path.stat().st_ino))
    table, changes = TABLES["lines"], writer.states["lines"].changes
    folder = Path(writer.lake) / "changes" / "lines"
    before = set(folder.rglob("*"))
    for number in range(60):
        log = rows(table, number).append_column("_commit_lsn", [[20 + number]])
        changes.write([log], log.schema, 20 + number)
    changes.join(list(changes.files.values()))
    made = set(folder.rglob("*")) - before
    assert sum("checkpoint" in path.name for path in made) == 2
    assert sum(path.suffix == ".parquet" for path in made) == 60 + 1 + 1
    assert {path.stat().st_ino for path in [*made, folder, folder / "_delta_log"]} <= synced


SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@pytest.mark.parametrize("separator", SEPARATORS, ids=lambda character: f"U+{ord(character):04X}")
def test_a_text_with_any_line_separator_is_one_line_of_the_delta_log(tmp_path: Path, separator: str) -> None:
    """In a commit of one row its text is the column's minimum and maximum, which stand in the log entry."""
    writer = open_writer(tmp_path)
    title = f"Desk lamp{separator}warm white"
    row = {"thing_id": "00000000-0000-7000-8000-000000000001", "name": title}
    writer.snapshot_table("things", 10, [pa.Table.from_pylist([row], schema=TABLES["things"].data_schema)], first=True)
    mark = writer.publish_snapshot(10, {}, NOW)
    assert read_current(writer.lake, "things", mark).column("name").to_pylist() == [title]


@pytest.mark.slow
def test_every_character_goes_through_a_commit_of_one_row(tmp_path: Path) -> None:
    everything = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
    writer = open_writer(tmp_path)
    rows = [
        {"thing_id": f"{number:036}", "name": everything[at : at + 120_000]}
        for number, at in enumerate(range(0, len(everything), 120_000))
    ]
    chunks = [pa.Table.from_pylist([row], schema=TABLES["things"].data_schema) for row in rows]
    for number, chunk in enumerate(chunks):
        writer.snapshot_table("things", 10 + number, [chunk], first=number == 0)
        mark = writer.publish_snapshot(10 + number, {}, NOW)
        assert read_current(writer.lake, "things", mark).column("name").to_pylist() == [rows[number]["name"]]


def test_rows_that_cannot_be_decoded_stop_their_table_only(writer: LakeWriter) -> None:
    made = batch(20)
    group = Group(Layout(TABLES["lines"], Relation(1, "public", "lines", "d", ()), ()))
    group.payloads, group.seqs = [b"I\0\0\0\1N\0\4"], array("q", [0])
    made.groups[b"x"] = group
    writer.apply(made)
    stopped_lsn, error = shown(writer)
    assert stopped_lsn == 10
    assert error is not None
    assert error.startswith("table lines: its rows cannot be decoded: ")
    assert shown(writer, "things") == (None, None)


def test_snapshots_are_counted_for_ever(writer: LakeWriter) -> None:
    assert writer.source.snapshots == 1
    again = open_writer(Path(writer.lake))
    again.publish_snapshot(30, {}, NOW)
    assert open_writer(Path(writer.lake)).source.snapshots == 2


def stopped_at(writer: LakeWriter, name: str = "lines") -> datetime:
    mark = latest_watermark(writer.lake)
    assert mark is not None
    at = mark.versions[name].stopped_at
    assert at is not None
    return at


def test_a_table_found_stopped_at_a_start_is_old_since_the_lake_was(writer: LakeWriter) -> None:
    """Change capture was down for an hour: the table's rows are an hour old, whenever that is noticed."""
    late = open_writer(Path(writer.lake), behind=3600.0)
    late.stop({"lines": "another type"})
    assert 3600 <= (datetime.now(UTC) - stopped_at(late)).total_seconds() < 3610


def test_a_table_left_out_is_old_since_the_last_watermark_where_the_lag_is_unknown(writer: LakeWriter) -> None:
    before = latest_watermark(writer.lake)
    late = open_writer(Path(writer.lake), left_out={"lines": "table lines: damaged"})
    late.apply(batch(20, stopped={"things": (10, "NaN")}))
    assert before is not None
    assert stopped_at(late) == before.created_at


def test_a_table_that_stops_in_a_batch_is_old_since_the_transaction_that_it_lacks(writer: LakeWriter) -> None:
    made = batch(20, stopped={"lines": (10, "NaN")})
    made.transactions.first_seq, made.transactions.end_lsn = [0, 5], [10, 20]
    made.transactions.commit_micros = [1_000_000, 3_000_000]
    writer.apply(made)
    assert stopped_at(writer) == datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)
