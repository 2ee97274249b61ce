"""Compare the lake with Postgres, row by row, at one LSN.

Both sides turn every row into the same canonical text and hash it: Postgres in SQL inside an exported snapshot, the
lake in DuckDB from its Parquet files. The comparison does not use the decoder, so it finds the decoder's mistakes.
`verify_against_itself` needs no Postgres: it replays the change log and compares with the current state.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql as pgsql

from warehouse.cdc.slot import connect_sql, create_slot
from warehouse.cdc.snapshot import import_snapshot
from warehouse.cdc.wire import Replication
from warehouse.contract import Column, Contract, Table
from warehouse.lake.lsn import format_lsn
from warehouse.lake.read import (
    TableFiles,
    connect,
    copy_hot,
    literal,
    quote,
    replay_sql,
    state_sql,
    table_files,
    whole_log,
)
from warehouse.lake.watermark import LakeStateError, SnapshottedAnew, Watermark, latest_watermark, watermark_at

_SHOWN_KEYS = 20


@dataclass(frozen=True)
class TableResult:
    """`missing`: rows only in the source, `extra`: only in the lake, `different`: same key, other values.

    Up to 20 keys of each are kept.
    """

    table: str
    source_rows: int
    lake_rows: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    keys: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def clean(self) -> bool:
        return not (self.missing or self.extra or self.different or self.error) and self.source_rows == self.lake_rows


@dataclass(frozen=True)
class Verdict:
    """The comparison at one LSN."""

    lsn: str
    seconds: float
    waited_seconds: float
    tables: list[TableResult]

    @property
    def clean(self) -> bool:
        return all(result.clean for result in self.tables)

    def as_json(self) -> dict[str, object]:
        rows = sum(result.source_rows for result in self.tables)
        tables = [asdict(result) | {"clean": result.clean} for result in self.tables]
        return {
            "clean": self.clean,
            "lsn": self.lsn,
            "rows": rows,
            "seconds": round(self.seconds, 3),
            "waitedSeconds": round(self.waited_seconds, 3),
            "tables": tables,
        }


def verify_against_postgres(url: str, lake: str, contract: Contract, *, wait_seconds: float) -> Verdict:
    """Compare every published table at the consistent point of a temporary slot.

    Raises LakeStateError when the lake does not reach that point within `wait_seconds`. When a new snapshot of the lake
    skips the point, the comparison begins again, at most twice.
    """
    for _ in range(2):
        with suppress(SnapshottedAnew):
            return _compare_once(url, lake, contract, wait_seconds)
    return _compare_once(url, lake, contract, wait_seconds)


def _compare_once(url: str, lake: str, contract: Contract, wait_seconds: float) -> Verdict:
    began = time.monotonic()
    with _exported(url) as (lsn, snapshot), connect_sql(url) as reader, tempfile.TemporaryDirectory() as folder:
        import_snapshot(reader, snapshot)
        with connect_sql(url) as nudge:
            # An idle database sends nothing through the stream: this message moves the lake past the snapshot's point.
            nudge.execute("select pg_logical_emit_message(true, 'souk.verify', '')")
        source = {table.name: _copy_hashes(reader, table, Path(folder)) for table in contract.tables}
        reader.execute("COMMIT")
        copied = time.monotonic()
        _await(lake, lsn, wait_seconds)
        waited = time.monotonic() - copied
        mark = watermark_at(lake, lsn)
        with connect(lake) as con:
            results = [_compare(con, lake, table, mark, _csv(source[table.name], table)) for table in contract.tables]
    return Verdict(format_lsn(lsn), time.monotonic() - began, waited, results)


def verify_against_itself(lake: str, contract: Contract, lsn: int) -> Verdict:
    """Compare the replayed change log with the current state at `lsn`.

    Raises LakeStateError when the lake has no such state.
    """
    began = time.monotonic()
    mark = watermark_at(lake, lsn)
    results = []
    with connect(lake) as con:
        for table in contract.tables:
            version = mark.versions.get(table.name)
            if version is None:
                results.append(TableResult(table.name, 0, 0, error="not in the lake at this LSN"))
                continue
            files = copy_hot(con, table_files(lake, table.name, version, mark.lsn), "log", table.name)
            log = (
                f"SELECT {_lake_columns(table, files)} FROM ({replay_sql(whole_log(lake, table.name, version, files))})"
            )
            results.append(_compare(con, lake, table, mark, log))
    return Verdict(mark.lsn_text, time.monotonic() - began, 0.0, results)


@contextmanager
def _exported(url: str) -> Iterator[tuple[int, str]]:
    """A snapshot and the LSN it is exactly at."""
    with Replication(url) as replication:
        exported = create_slot(replication, f"souk_verify_{time.time_ns()}", version=0, temporary=True)
        yield exported.lsn, exported.name


def _await(lake: str, lsn: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        mark = latest_watermark(lake)
        if mark is not None and mark.lsn >= lsn:
            return
        if time.monotonic() > deadline:
            reached = mark.lsn_text if mark else "nothing"
            raise LakeStateError(
                f"after {seconds:.0f} s the lake is at {reached}, not at {format_lsn(lsn)}: is `python -m"
                " warehouse.cdc` running?"
            )
        time.sleep(0.05)


def _postgres_text(column: Column) -> pgsql.Composable:
    name = pgsql.Identifier(column.name)
    if column.type == "timestamptz":
        finite = "case when isfinite({0}) then (extract(epoch from {0}) * 1000000)::int8::text else {0}::text end"
        return pgsql.SQL(finite).format(name)
    if column.type == "bool":
        return pgsql.SQL("{}::int4::text").format(name)
    return pgsql.SQL("{}::text").format(name)


def _lake_text(column: Column) -> str:
    name = quote(column.name)
    if column.type == "timestamptz":
        return f"epoch_us({name})::VARCHAR"
    if column.type == "bool":
        return f"{name}::INTEGER::VARCHAR"
    return f"{name}::VARCHAR"


def _floats(table: Table) -> list[Column]:
    """Compared as numbers, because the two databases print the same double differently."""
    return [column for column in table.columns if column.type == "float8"]


def _hashed(table: Table) -> list[Column]:
    return [column for column in table.columns if column.type != "float8"]


def _copy_hashes(connection: psycopg.Connection[tuple[object, ...]], table: Table, folder: Path) -> Path:
    """Write key text, row hash and floats of every row to a CSV file.

    Lengths are part of the hashed text, so that different rows never have the same text.
    """
    parts = [
        pgsql.SQL("coalesce(octet_length({0}) || ':' || {0}, '-')").format(_postgres_text(column))
        for column in _hashed(table)
    ]
    columns = {column.name: column for column in table.columns}
    key = pgsql.SQL(" || '|' || ").join(_postgres_text(columns[name]) for name in table.primary_key)
    floats = pgsql.SQL("").join(
        pgsql.SQL(", {}::text").format(pgsql.Identifier(column.name)) for column in _floats(table)
    )
    query = pgsql.SQL("COPY (SELECT {}, md5({}){} FROM {}) TO STDOUT (FORMAT csv)").format(
        key, pgsql.SQL(" || ").join(parts), floats, pgsql.Identifier("public", table.name)
    )
    path = folder / f"{table.name}.csv"
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(query) as copy:
        for chunk in copy:
            file.write(chunk)
    return path


def _csv(path: Path, table: Table) -> str:
    names = ["key", "hash", *(f"float{index}" for index in range(len(_floats(table))))]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    if path.stat().st_size == 0:
        return "SELECT " + ", ".join(f"NULL::VARCHAR AS {name}" for name in names) + " WHERE false"
    options = (
        "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n',"
        " max_line_size = 67108864"
    )
    return f"SELECT * FROM read_csv({literal(str(path))}, columns = {{{columns}}}, {options})"


def _lake_columns(table: Table, files: TableFiles) -> str:
    """Key text, row hash and floats, as `_copy_hashes` writes them.

    A column that the lake does not have yet is NULL in all its rows.
    """
    text = {
        column.name: _lake_text(column) if column.name in files.columns else "NULL::VARCHAR" for column in table.columns
    }
    key = " || '|' || ".join(text[name] for name in table.primary_key)
    parts = " || ".join(
        f"coalesce(strlen({text[column.name]}) || ':' || {text[column.name]}, '-')" for column in _hashed(table)
    )
    floats = "".join(
        f", {text[column.name]}::DOUBLE::VARCHAR AS float{index}" for index, column in enumerate(_floats(table))
    )
    return f"{key} AS key, md5({parts}) AS hash{floats}"


def _compare(con: duckdb.DuckDBPyConnection, lake: str, table: Table, mark: Watermark, source: str) -> TableResult:
    version = mark.versions.get(table.name)
    source_count = con.execute(f"SELECT count(*) FROM ({source})").fetchone()
    source_rows = int(source_count[0]) if source_count else 0
    if version is None:
        return TableResult(table.name, source_rows, 0, missing=source_rows, error="not in the lake at this LSN")
    files = copy_hot(con, table_files(lake, table.name, version, mark.lsn), "hot", table.name)
    ours = f"SELECT {_lake_columns(table, files)} FROM ({state_sql(files)})"
    floats = "".join(f" OR s.float{i}::DOUBLE IS DISTINCT FROM l.float{i}::DOUBLE" for i in range(len(_floats(table))))
    con.execute(f"CREATE OR REPLACE TEMP TABLE ours AS {ours}")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE differing AS"
        " SELECT coalesce(s.key, l.key) AS key,"
        " CASE WHEN l.key IS NULL THEN 'missing' WHEN s.key IS NULL THEN 'extra' ELSE 'different' END AS kind"
        f" FROM ({source}) s FULL JOIN ours l ON s.key = l.key"
        f" WHERE s.hash IS DISTINCT FROM l.hash{floats}"
    )
    counts = dict(con.execute("SELECT kind, count(*) FROM differing GROUP BY kind").fetchall())
    keys = [
        f"{kind}: {key}"
        for key, kind in con.execute(
            f"SELECT key, kind FROM differing ORDER BY kind, key LIMIT {_SHOWN_KEYS}"
        ).fetchall()
    ]
    lake_count = con.execute("SELECT count(*) FROM ours").fetchone()
    return TableResult(
        table=table.name,
        source_rows=source_rows,
        lake_rows=int(lake_count[0]) if lake_count else 0,
        missing=counts.get("missing", 0),
        extra=counts.get("extra", 0),
        different=counts.get("different", 0),
        keys=keys,
        error=version.error,
    )


def render(verdict: Verdict) -> str:
    """The result as text for a person."""
    rows = sum(result.source_rows for result in verdict.tables)
    word, tables = "clean" if verdict.clean else "DIFFERENT", len(verdict.tables)
    lines = [f"{word} at {verdict.lsn}: {tables} tables, {rows} rows, {verdict.seconds:.1f} s"]
    for result in verdict.tables:
        if result.clean:
            continue
        lines.append(
            f"{result.table:28} source {result.source_rows:>9} lake {result.lake_rows:>9} missing {result.missing:>6}"
            f" extra {result.extra:>6} different {result.different:>6}  {result.error or ''}"
        )
        lines.extend(f"    {key}" for key in result.keys)
    return "\n".join(lines)
