"""Commits without delta-rs: delta-rs reads them back, and the number of files and the cost of joining stay bounded."""

import os
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from warehouse.lake.append import Appender, DataFile, due_for_join
from warehouse.lake.catalog import ensure_table
from warehouse.lake.commit import commit_rows, durable_lsn
from warehouse.lake.read import connect

SCHEMA = pa.schema(
    [("id", pa.int64()), ("name", pa.string()), ("price", pa.decimal128(12, 2)), ("_commit_lsn", pa.int64())]
)


def rows(*ids: int, lsn: int = 1, schema: pa.Schema = SCHEMA) -> pa.Table:
    found = [{"id": number, "name": f"Desk lamp\u2028{number}", "price": number, "_commit_lsn": lsn} for number in ids]
    return pa.Table.from_pylist(found, schema=schema)


@pytest.fixture
def table(tmp_path: Path) -> Appender:
    return Appender(ensure_table(str(tmp_path / "things"), SCHEMA, ("id",)))


def ids(table: Appender) -> list[int]:
    """As delta-rs and polars, which know nothing of us, read the newest version."""
    found = sorted(DeltaTable(table.root).to_pyarrow_table()["id"].to_pylist())
    assert sorted(pl.read_delta(table.root)["id"].to_list()) == found
    return found


def test_delta_rs_and_polars_read_what_was_committed(table: Appender) -> None:
    table.write([rows(1, 2), rows(3)], SCHEMA, 7)
    table.write([rows(4, lsn=9)], SCHEMA, 9)

    assert ids(table) == [1, 2, 3, 4]
    assert (DeltaTable(table.root).version(), durable_lsn(DeltaTable(table.root))) == (table.version, 9)
    assert [file.high for file in table.files.values()] == [1, 9]
    again = Appender(DeltaTable(table.root))
    assert (again.version, again.files) == (table.version, table.files)


def test_columns_with_and_without_a_dictionary_read_back_exactly(table: Appender) -> None:
    """Repeated, distinct and extreme values of every kind; delta-rs, polars and DuckDB know nothing of us."""
    count, kinds = 6_000, {"id": pa.int64(), "small": pa.int32(), "day": pa.date32(), "ratio": pa.float64()}
    kinds |= {"at": pa.timestamp("us", tz="UTC"), "price": pa.decimal128(12, 2), "wide": pa.decimal128(30, 2)}
    kinds |= {"ok": pa.bool_(), "kind": pa.string(), "name": pa.string(), "_commit_lsn": pa.int64()}
    schema = pa.schema(list(kinds.items()))
    rng = random.Random(5)
    columns: dict[str, list[object]] = {
        "id": [rng.choice((-(2**63), 2**63 - 1, number)) for number in range(count)],
        "small": [rng.choice((None, -(2**31), 2**31 - 1)) for _ in range(count)],
        "day": [rng.choice((None, rng.randrange(-700_000, 2_900_000))) for _ in range(count)],
        "ratio": [rng.choice((None, float("inf"), -0.0, *(rng.random() for _ in range(5)))) for _ in range(count)],
        "at": [rng.choice((None, rng.randrange(-(2**55), 2**57))) for _ in range(count)],
        "price": [Decimal(rng.randrange(-(10**12) + 1, 10**12)).scaleb(-2) for _ in range(count)],
        "wide": [Decimal(rng.choice((None, 10**29, -1)) or 0).scaleb(-2) for _ in range(count)],
        "ok": [rng.choice((None, True, False)) for _ in range(count)],
        "kind": [rng.choice(("", "pending", None)) for _ in range(count)],
        "name": [rng.choice(("", "\x00", "lamp\u2028" * 9, str(number), str(-number))) for number in range(count)],
        "_commit_lsn": [7] * count,
    }
    rows = pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()}, schema=schema)

    table.widen(schema)
    table.write([rows.slice(0, 4_100), rows.slice(4_100)], schema, 7)

    [file] = table.files
    names = schema.names
    read = DeltaTable(table.root).to_pyarrow_table().select(names)
    assert read.cast(schema).equals(rows)
    assert pl.read_delta(table.root).select(names).to_arrow().cast(schema).equals(rows)
    with connect() as con:
        found = con.execute(f"FROM read_parquet('{table.root}/{file}')").to_arrow_table()
    assert found.select(names).cast(schema).equals(rows)
    footer = pq.ParquetFile(f"{table.root}/{file}").metadata.row_group(0)
    encodings = {footer.column(at).path_in_schema: set(footer.column(at).encodings) for at in range(len(names))}
    assert {name for name in names if "RLE_DICTIONARY" in encodings[name]} == {"small", "wide", "kind", "_commit_lsn"}
    assert {name for name in names if "DELTA_BINARY_PACKED" in encodings[name]} == {"id", "day", "at"}
    assert {name for name in names if "DELTA_LENGTH_BYTE_ARRAY" in encodings[name]} == {"name"}


def test_delta_rs_and_the_appender_may_take_turns(table: Appender) -> None:
    for number in range(3):
        table.write([rows(2 * number)], SCHEMA, number + 1)
        table.through(partial(commit_rows, data=rows(2 * number + 1), lsn=None))

    assert ids(table) == [0, 1, 2, 3, 4, 5]
    assert len(table.files) == 6


def test_a_new_column_is_added_first(table: Appender) -> None:
    table.write([rows(1)], SCHEMA, 1)
    wider = SCHEMA.append(pa.field("colour", pa.string()))

    table.write([rows(2, schema=wider)], wider, 2)

    assert ids(table) == [1, 2]
    table.join(list(table.files.values()))
    assert DeltaTable(table.root).to_pyarrow_table().schema.names == wider.names
    assert ids(table) == [1, 2]


def test_a_kill_after_the_entry_is_linked_does_not_let_the_next_commit_overwrite_it(
    table: Appender,
) -> None:
    table.write([rows(1)], SCHEMA, 1)
    log = Path(table.root, "_delta_log")
    entry = log / "00000000000000000001.json"
    first = entry.read_bytes()
    os.link(entry, log / ".next.part")  # as a writer leaves it that dies between `link` and `unlink`

    again = Appender(DeltaTable(table.root))
    again.write([rows(2)], SCHEMA, 2)

    assert entry.read_bytes() == first
    assert ids(again) == [1, 2]


def test_overwriting_and_joining_replace_files_and_keep_the_old_version(table: Appender) -> None:
    for number in range(4):
        table.write([rows(number)], SCHEMA, number)
    joined = table.join(list(table.files.values()))
    assert (ids(table), len(table.files)) == ([0, 1, 2, 3], 1)

    table.write([rows(9)], SCHEMA, None, "overwrite")

    assert ids(table) == [9]
    assert DeltaTable(table.root, version=joined).to_pyarrow_table().num_rows == 4


def test_a_base_adopts_the_files_of_a_log_with_more_columns(table: Appender, tmp_path: Path) -> None:
    narrow = SCHEMA.remove(1)
    base = Appender(ensure_table(str(tmp_path / "base"), narrow, ("id",)))
    table.write([rows(1, 2, 3)], SCHEMA, 5)

    base.adopt(table, narrow, 5)

    assert ids(base) == [1, 2, 3]
    assert DeltaTable(base.root).to_pyarrow_table().schema.names == narrow.names
    assert pl.read_delta(base.root).columns == narrow.names
    [file], [same] = base.files, table.files
    assert Path(base.root, file).stat().st_ino == Path(table.root, same).stat().st_ino


def test_an_error_while_rows_are_read_leaves_nothing(table: Appender) -> None:
    def broken() -> Iterator[pa.Table]:
        yield rows(1)
        raise LookupError("row 2")

    with pytest.raises(LookupError, match="row 2"):
        table.write(broken(), SCHEMA, 1)

    assert (table.version, ids(table)) == (0, [])
    assert list(Path(table.root).glob("*.parquet")) == []


def test_a_second_writer_is_refused(table: Appender) -> None:
    other = Appender(DeltaTable(table.root))
    table.write([rows(1)], SCHEMA, 1)

    with pytest.raises(FileExistsError):
        other.write([rows(2)], SCHEMA, 1)

    assert ids(table) == [1]


@pytest.mark.parametrize("seed", range(2))
def test_joining_bounds_the_files_and_the_times_a_row_is_written(seed: int) -> None:
    """The rule alone, over 5,000 commits of any size: without it there would be 5,000 files."""
    rng, files, written, total, most = random.Random(seed), list[DataFile](), 0, 0, 0
    for number in range(5_000):
        count = rng.choice((1, 1, 3, 10, 200))
        files.append(DataFile(str(number), 100 * count, count, number))
        total += count
        while due := due_for_join(files, 8):
            joined = sum(file.rows for file in due)
            files = [file for file in files if file not in due]
            files.append(DataFile(f"joined {number}", 100 * joined, joined, number))
            written += joined
        most = max(most, len(files))
    assert sum(file.rows for file in files) == total
    assert most < 50
    assert written < 8 * total
