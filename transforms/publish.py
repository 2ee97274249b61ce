"""Publish the features of a build as one folder of Parquet, which appears by one rename; open DuckDB files."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import duckdb

from warehouse.files import move_into_place, sync
from warehouse.lake.objects import reach
from warehouse.lake.read import literal

FEATURES = "features"
_KEEP_SNAPSHOTS = 3
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # Of new files. With earlier layouts a checkpoint takes three times as long.
    "storage_compatibility_version": "v1.4.0",
}


def connect(
    path: Path, *, read_only: bool = False, threads: int | None = None, lake: str = ""
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file in UTC, with automatic extension loading off. `lake`: the one that its views read."""
    config = _CONFIG | ({"threads": threads} if threads else {})
    con = duckdb.connect(str(path), read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    reach(con, lake)
    return con


def publish_features(private: Path, folder: Path, lsn_text: str, built_at: datetime) -> dict[str, int]:
    """Export every feature table to Parquet and move `folder/current` to the new set; returns rows by table.

    `current` is a link, so the files of one set always belong to one watermark; `watermark.json` in the set names it.
    The two previous sets are kept for readers that have not finished.
    """
    snapshots = folder / "snapshots"
    name = f"{built_at:%Y%m%dT%H%M%S%f}-{lsn_text.replace('/', '-')}"
    unfinished = folder / f".{name}"
    unfinished.mkdir(parents=True)
    rows: dict[str, int] = {}
    with connect(private, read_only=True) as con:
        for table in _tables(con, private.stem, FEATURES):
            rows[table] = _export(con, table, unfinished / f"{table}.parquet")
        as_of = _one(con, "SELECT as_of FROM main.mart_watermark")
    if not isinstance(as_of, datetime):
        raise TypeError(f"mart_watermark.as_of is {as_of!r}, not a time")
    watermark = {"lsn": lsn_text, "asOf": as_of.isoformat(), "builtAt": built_at.isoformat(), "rows": rows}
    (unfinished / "watermark.json").write_text(json.dumps(watermark, indent=1), encoding="utf-8")
    for file in unfinished.iterdir():
        sync(file)
    snapshots.mkdir(exist_ok=True)
    move_into_place(unfinished, snapshots / name)
    link = folder / ".current"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("snapshots") / name)
    move_into_place(link, folder / "current")
    for old in sorted(path for path in snapshots.iterdir() if path.is_dir())[:-_KEEP_SNAPSHOTS]:
        shutil.rmtree(old)
    return rows


def clean_features(folder: Path) -> None:
    """Remove the incomplete files of a killed build."""
    for path in folder.glob(".[0-9]*"):
        shutil.rmtree(path)


def _tables(con: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[str]:
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? ORDER BY table_name",
        [database, schema],
    ).fetchall()
    return [str(name) for (name,) in found]


def _export(con: duckdb.DuckDBPyConnection, table: str, path: Path) -> int:
    first = f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'"
    key = str(_one(con, f"{first} ORDER BY column_index LIMIT 1"))
    con.execute(
        f"COPY (SELECT * FROM {FEATURES}.{table} ORDER BY {key}, event_timestamp) TO {literal(str(path))}"
        " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    )
    return _count(con, f"{FEATURES}.{table}")


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(str(_one(con, f"SELECT count(*) FROM {table}")))


def _one(con: duckdb.DuckDBPyConnection, query: str) -> object:
    row = con.execute(query).fetchone()
    return row[0] if row else None
