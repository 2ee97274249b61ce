"""Reading the lake at one watermark: the exact current state, and the change log, as plain Parquet file lists.

`state_sql` is the one definition of "current state": `attach` makes views of it, the fold writes its result,
`verify` compares it.
"""

import os
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from warehouse.lake.catalog import arrow_schema, data_files, open_table, primary_key, table_uri
from warehouse.lake.watermark import LakeStateError, TableVersion, Watermark, latest_watermark, watermark_at, watermarks

# One number that orders all changes of a table: transaction, then place in it (below 2^42).
_POSITION = "(_commit_lsn::HUGEINT * 4398046511104 + _ordinal)"

__all__ = [
    "LakeStateError",
    "Watermark",
    "attach",
    "changes_sql",
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

    `schema` is the change log's; `tail` holds the change files above the base.
    """

    schema: pa.Schema
    key: tuple[str, ...]
    base: tuple[str, ...]
    tail: tuple[str, ...]
    folded_lsn: int
    lsn: int

    @property
    def columns(self) -> list[str]:
        return [name for name in self.schema.names if not name.startswith("_")]


def table_files(lake: str | os.PathLike[str], name: str, version: TableVersion, lsn: int) -> TableFiles:
    """The file lists of one table at a watermark's versions.

    Raises LakeStateError when retention removed that version.
    """
    try:
        changes = open_table(table_uri(lake, "changes", name), version.changes)
        current = open_table(table_uri(lake, "current", name), version.current)
    except Exception as error:  # delta-rs raises its base class for a version whose log is gone
        raise LakeStateError(f"table {name}: versions {version} are not in the lake any more: {error}") from error
    if changes is None or current is None:
        raise LakeStateError(f"table {name} is not in the lake at {table_uri(lake)}")
    upto = min(lsn, version.stopped_lsn) if version.stopped_lsn is not None else lsn
    return TableFiles(
        schema=arrow_schema(changes),
        key=primary_key(changes),
        base=tuple(data_files(current)),
        tail=tuple(data_files(changes, above_lsn=version.folded_lsn)),
        folded_lsn=version.folded_lsn,
        lsn=upto,
    )


def state_sql(files: TableFiles) -> str:
    """A SELECT of the published columns and `_commit_lsn`: one row per key that exists at `files.lsn`."""
    columns = ", ".join(quote(name) for name in [*files.columns, "_commit_lsn"])
    wanted = pa.schema([files.schema.field(name) for name in [*files.columns, "_commit_lsn"]])
    base = f"SELECT {columns} FROM ({scan_sql(files.base, wanted)}) AS base"
    if not files.tail:
        return base
    keys = ", ".join(quote(name) for name in files.key)
    same_key = " AND ".join(f"tail.{quote(name)} = base.{quote(name)}" for name in files.key)
    tail = (
        f"SELECT * FROM ({scan_sql(files.tail, files.schema)})"
        f" WHERE _commit_lsn > {files.folded_lsn} AND _commit_lsn <= {files.lsn}"
    )
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
SELECT {columns} FROM last WHERE _op <> 'd'""".strip()


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
    return f"SELECT * FROM ({scan_sql(files.tail, files.schema)}) WHERE _commit_lsn <= {files.lsn}"


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
    stopped is attached as of the LSN where it stopped; `_watermark.stopped` names it.
    """
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    for name, version in watermark.versions.items():
        files = table_files(lake, name, version, watermark.lsn)
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
    with connect() as con:
        return con.execute(state_sql(files)).to_arrow_table()


def read_changes(lake: str | os.PathLike[str], table: str, watermark: Watermark) -> pa.Table:
    """One table's change log up to the watermark, in order of commit."""
    version = watermark.versions[table]
    files = whole_log(lake, table, version, table_files(lake, table, version, watermark.lsn))
    with connect() as con:
        return con.execute(changes_sql(files) + " ORDER BY _commit_lsn, _ordinal").to_arrow_table()


def connect() -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB in UTC that loads nothing from outside."""
    con = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    con.execute("SET TimeZone = 'UTC'")
    return con


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def whole_log(lake: str | os.PathLike[str], name: str, version: TableVersion, files: TableFiles) -> TableFiles:
    """The same table, read only from its change log from the beginning."""
    changes = open_table(table_uri(lake, "changes", name), version.changes)
    tail = tuple(data_files(changes)) if changes is not None else ()
    return TableFiles(files.schema, files.key, (), tail, -1, files.lsn)


def log_since(
    lake: str | os.PathLike[str], name: str, version: TableVersion, files: TableFiles, lsn: int
) -> TableFiles:
    """The same table, read only from the part of its change log that can hold rows after `lsn`."""
    changes = open_table(table_uri(lake, "changes", name), version.changes)
    tail = tuple(data_files(changes, above_lsn=lsn)) if changes is not None else ()
    return TableFiles(files.schema, files.key, (), tail, lsn, files.lsn)


def scan_sql(files: tuple[str, ...], schema: pa.Schema) -> str:
    """All rows of `files` with exactly the columns and types of `schema`; NULL where a file is older than a column."""
    empty = ", ".join(f"NULL::{_duckdb_type(field.type)} AS {quote(field.name)}" for field in schema)
    if not files:
        return f"SELECT {empty} WHERE false"
    listed = ", ".join(literal(path) for path in files)
    return f"SELECT {empty} WHERE false UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], union_by_name = true)"


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
