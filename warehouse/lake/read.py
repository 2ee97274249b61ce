"""Reading the lake at one watermark: the exact current state, and the change log, as plain Parquet file lists and the
rows of the hot log.

`state_sql` is the one definition of "current state": `attach` makes views of it, the base rewrite writes its result,
`verify` compares it.
"""

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.lake.catalog import arrow_schema, open_table, primary_key, root_of, table_uri
from warehouse.lake.hot import fit, hot_folder, open_segment, segment_path
from warehouse.lake.objects import connect, reach
from warehouse.lake.watermark import LakeStateError, TableVersion, Watermark, latest_watermark, watermark_at, watermarks

# One number that orders all changes of a table: transaction, then place in it (below 2^42).
_POSITION = "(_commit_lsn::HUGEINT * 4398046511104 + _ordinal)"

__all__ = [
    "LakeStateError",
    "Watermark",
    "attach",
    "changes_sql",
    "connect",
    "copy_hot",
    "latest_watermark",
    "log_since",
    "read_changes",
    "read_current",
    "replay_sql",
    "scan_sql",
    "state_sql",
    "table_files",
    "watermark_at",
    "watermarks",
    "whole_log",
]


@dataclass(frozen=True)
class TableFiles:
    """The files that give one table's state at one LSN.

    `schema` is the change log's; `tail` holds the change files above the base, `hot` the rows that are not in a file
    yet. `hot_name` is the relation that `copy_hot` made of them.
    """

    schema: pa.Schema
    key: tuple[str, ...]
    base: tuple[str, ...]
    tail: tuple[str, ...]
    folded_lsn: int
    lsn: int
    hot: pa.Table | None = None
    hot_name: str | None = None

    @property
    def columns(self) -> list[str]:
        return [name for name in self.schema.names if not name.startswith("_")]


@dataclass(frozen=True)
class _Listing:
    """What the Delta log says of one version of a table."""

    schema: pa.Schema
    key: tuple[str, ...]
    files: tuple[str, ...]
    highs: tuple[int | None, ...]

    def above(self, lsn: int) -> tuple[str, ...]:
        """The files that can hold a greater `_commit_lsn`."""
        pairs = zip(self.files, self.highs, strict=True)
        return tuple(sorted(path for path, high in pairs if high is None or high > lsn))


def table_files(
    lake: str | os.PathLike[str], name: str, version: TableVersion, lsn: int, above: int = -1
) -> TableFiles:
    """The file lists of one table at a watermark's versions, and its rows in the hot log.

    With `above` only those rows of the hot log that `log_since` needs for the changes after that LSN.
    Raises LakeStateError when retention removed that version.
    """
    hot = None
    if version.hot is not None and lsn > version.hot:
        hot = _hot_rows(lake, name, version.hot, lsn, above)
        if hot is None:  # folded meanwhile: the change log holds the rows
            version = watermark_at(lake, lsn).versions[name]
    changes = _listing(table_uri(lake, "changes", name), version.changes, version)
    current = _listing(table_uri(lake, "current", name), version.current, version)
    upto = min(lsn, version.stopped_lsn) if version.stopped_lsn is not None else lsn
    return TableFiles(
        schema=changes.schema,
        key=changes.key,
        base=tuple(sorted(current.files)),
        tail=changes.above(version.folded_lsn),
        folded_lsn=version.folded_lsn,
        lsn=upto,
        hot=fit(hot, changes.schema) if hot is not None and hot.num_rows else None,
    )


def _listing(uri: str, number: int, version: TableVersion) -> _Listing:
    name = uri.rpartition("/")[2]
    try:
        entry = _entry(uri, number)
        found = _read_listing(uri, number) if entry is None else _known_listing(uri, number, entry)
    except Exception as error:  # delta-rs raises its base class for a version whose log is gone
        raise LakeStateError(f"table {name}: versions {version} are not in the lake any more: {error}") from error
    if found is None:
        raise LakeStateError(f"table {name} is not in the lake at {uri}")
    return found


@lru_cache(maxsize=512)
def _known_listing(uri: str, number: int, _entry: tuple[int, int]) -> _Listing | None:
    """A version never changes, so it is read once per process; the entry tells a new lake from an old one."""
    return _read_listing(uri, number)


def _entry(uri: str, number: int) -> tuple[int, int] | None:
    """Which file is the log entry of this version; None on an object store, or when a checkpoint replaced it."""
    try:
        found = Path(uri, "_delta_log", f"{number:020d}.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read_listing(uri: str, number: int) -> _Listing | None:
    table = open_table(uri, number)
    if table is None:
        return None
    actions = pa.table(table.get_add_actions(flatten=True))
    root = root_of(table)
    files = tuple(f"{root}/{path}" for path in actions["path"].to_pylist())
    known = "max._commit_lsn" in actions.column_names
    highs = tuple(actions["max._commit_lsn"].to_pylist()) if known else (None,) * len(files)
    return _Listing(arrow_schema(table), primary_key(table), files, highs)


def _hot_rows(lake: str | os.PathLike[str], name: str, begin: int, lsn: int, above: int) -> pa.Table | None:
    """The table's rows in the segment that begins at this LSN; None when the segment is gone."""
    try:
        batches = open_segment(segment_path(hot_folder(lake), begin)).read(name, lsn, above)
    except FileNotFoundError:
        return None
    return pa.Table.from_batches(batches) if batches else pa.table({})


def copy_hot(con: duckdb.DuckDBPyConnection, files: TableFiles, schema: str, name: str) -> TableFiles:
    """Copy the rows of the hot log into `schema`.`name` of `con`: the result can be given to `state_sql`."""
    if files.hot is None:
        return files
    relation = f"{quote(schema)}.{quote(name)}"
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    con.register("_hot_rows", files.hot)
    con.execute(f"CREATE OR REPLACE TABLE {relation} AS SELECT * FROM _hot_rows")
    con.unregister("_hot_rows")
    return replace(files, hot_name=relation)


def state_sql(files: TableFiles, *, in_order: bool = False) -> str:
    """A SELECT of the published columns and `_commit_lsn`: one row per key that exists at `files.lsn`.

    `in_order`: the rows of the base come in its order, then those of the tail in the order of their changes.
    """
    columns = ", ".join(quote(name) for name in [*files.columns, "_commit_lsn"])
    wanted = pa.schema([files.schema.field(name) for name in [*files.columns, "_commit_lsn"]])
    base = f"SELECT {columns} FROM ({scan_sql(files.base, wanted)}) AS base"
    if not files.tail and files.hot is None:
        return base
    keys = ", ".join(quote(name) for name in files.key)
    same_key = " AND ".join(f"tail.{quote(name)} = base.{quote(name)}" for name in files.key)
    tail = f"SELECT * FROM ({_log_sql(files)}) WHERE _commit_lsn > {files.folded_lsn} AND _commit_lsn <= {files.lsn}"
    order = " ORDER BY _commit_lsn, _ordinal" if in_order else ""
    return f"""
WITH tail AS MATERIALIZED ({tail}),
reset AS (SELECT max({_POSITION}) AS position FROM tail WHERE _op = 't'),
last AS (
  SELECT * FROM tail
  WHERE _op <> 't' AND {_POSITION} > coalesce((SELECT position FROM reset), -1)
  QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY _commit_lsn DESC, _ordinal DESC) = 1
)
{base}
WHERE (SELECT position FROM reset) IS NULL AND NOT EXISTS (SELECT 1 FROM last AS tail WHERE {same_key})
UNION ALL
SELECT {columns} FROM (SELECT * FROM last WHERE _op <> 'd'{order})""".strip()


def _log_sql(files: TableFiles) -> str:
    """The change files and the copied rows of the hot log. Raises ValueError when those were not copied."""
    if files.hot is None:
        return scan_sql(files.tail, files.schema)
    if files.hot_name is None:
        raise ValueError("this table has rows in the hot log: give `copy_hot`'s result")
    return f"{scan_sql(files.tail, files.schema)} UNION ALL BY NAME SELECT * FROM {files.hot_name}"


def replay_sql(files: TableFiles) -> str:
    """The state computed from the change log alone (`files` from `whole_log`): the oracle for `state_sql`.

    Deliberately written in another way: each key's last row by position, kept when it is not a delete and lies after
    the last reset.
    """
    keys = ", ".join(quote(name) for name in files.key)
    packed = ", ".join(f"{quote(name)} := {quote(name)}" for name in [*files.columns, "_commit_lsn"])
    names = ", ".join(f"final.row.{quote(name)} AS {quote(name)}" for name in [*files.columns, "_commit_lsn"])
    return f"""
WITH log AS (SELECT *, {_POSITION} AS position FROM ({changes_sql(files)})),
final AS (
  SELECT max(position) AS position, arg_max(_op, position) AS op, arg_max(struct_pack({packed}), position) AS row
  FROM log WHERE _op <> 't' GROUP BY {keys}
)
SELECT {names} FROM final
WHERE op <> 'd' AND position > coalesce((SELECT max(position) FROM log WHERE _op = 't'), -1)""".strip()


def changes_sql(files: TableFiles) -> str:
    """A SELECT of the change log up to `files.lsn` (with `_op`, `_commit_lsn`, `_ordinal`, `_commit_ts`)."""
    return f"SELECT * FROM ({_log_sql(files)}) WHERE _commit_lsn <= {files.lsn}"


def attach(
    con: duckdb.DuckDBPyConnection,
    lake: str | os.PathLike[str],
    watermark: Watermark,
    schema: str = "lake",
    *,
    changes: bool = False,
) -> None:
    """One view per table in `schema` = its exact state at the watermark, plus the one-row view `_watermark`.

    With `changes=True` also `<table>__changes`, the change log up to the watermark. A table whose replication
    stopped is attached as of the LSN where it stopped; `_watermark.stopped` names it. The rows of the hot log are
    copied into tables of the schema `<schema>__hot`.
    """
    reach(con, lake)
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    for name, version in watermark.versions.items():
        files = copy_hot(con, table_files(lake, name, version, watermark.lsn), f"{schema}__hot", name)
        con.execute(f"CREATE OR REPLACE VIEW {quote(schema)}.{quote(name)} AS {state_sql(files)}")
        if changes:
            log = changes_sql(whole_log(lake, name, version, files))
            con.execute(f"CREATE OR REPLACE VIEW {quote(schema)}.{quote(name + '__changes')} AS {log}")
    stopped = ", ".join(name for name, version in watermark.versions.items() if version.error)
    con.execute(
        f"CREATE OR REPLACE VIEW {quote(schema)}._watermark AS SELECT {watermark.lsn}::BIGINT AS lsn,"
        f" {literal(watermark.lsn_text)} AS lsn_text,"
        f" {literal(watermark.commit_ts.isoformat())}::TIMESTAMPTZ AS commit_ts,"
        f" {literal(watermark.created_at.isoformat())}::TIMESTAMPTZ AS created_at, {literal(stopped)} AS stopped"
    )


def read_current(lake: str | os.PathLike[str], table: str, watermark: Watermark) -> pa.Table:
    """One table's exact state at the watermark: published columns and `_commit_lsn`, contract types, in no order."""
    if table not in watermark.versions:
        raise LakeStateError(
            f"table {table} is not in the watermark {watermark.lsn_text}; it has {', '.join(watermark.versions)}"
        )
    files = table_files(lake, table, watermark.versions[table], watermark.lsn)
    with connect(lake) as con:
        return con.execute(state_sql(copy_hot(con, files, "hot", table))).to_arrow_table()


def read_changes(lake: str | os.PathLike[str], table: str, watermark: Watermark) -> pa.Table:
    """One table's change log up to the watermark, in order of commit."""
    version = watermark.versions[table]
    files = table_files(lake, table, version, watermark.lsn)
    with connect(lake) as con:
        files = whole_log(lake, table, version, copy_hot(con, files, "hot", table))
        return con.execute(changes_sql(files) + " ORDER BY _commit_lsn, _ordinal").to_arrow_table()


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def whole_log(lake: str | os.PathLike[str], name: str, version: TableVersion, files: TableFiles) -> TableFiles:
    """The same table, read only from its change log from the beginning."""
    return log_since(lake, name, version, files, -1)


def log_since(
    lake: str | os.PathLike[str], name: str, version: TableVersion, files: TableFiles, lsn: int
) -> TableFiles:
    """The same table, read only from the part of its change log that can hold rows after `lsn`."""
    if version.hot is not None and files.hot is None:
        version = watermark_at(lake, files.lsn).versions[name]  # as `table_files` does
    tail = _listing(table_uri(lake, "changes", name), version.changes, version).above(lsn)
    return replace(files, base=(), tail=tail, folded_lsn=lsn)


def scan_sql(files: tuple[str, ...], schema: pa.Schema) -> str:
    """All rows of `files` with exactly the columns and types of `schema`; NULL where a file is older than a column."""
    empty = ", ".join(f"NULL::{_duckdb_type(field.type)} AS {quote(field.name)}" for field in schema)
    if not files:
        return f"SELECT {empty} WHERE false"
    listed = ", ".join(literal(path) for path in files)
    rows = f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    return f"SELECT {empty} WHERE false UNION ALL BY NAME {rows}"


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    return {
        pa.string(): "VARCHAR",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        pa.float64(): "DOUBLE",
        pa.float32(): "FLOAT",
    }[kind]
