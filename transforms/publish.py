"""Publish the features of a build as one folder of Parquet, which appears by one rename; open DuckDB files."""

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from transforms.incremental.plan import FEATURES
from warehouse.files import move_into_place, sync
from warehouse.lake.objects import reach
from warehouse.lake.read import literal

NEWEST = "newest"
_KEEP_SNAPSHOTS, _KEEP_SNAPSHOT_SECONDS = 3, 300.0
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


def publish_features(
    con: duckdb.DuckDBPyConnection, folder: Path, lsn_text: str, as_of: datetime, built_at: datetime
) -> dict[str, int]:
    """Export every feature table to Parquet and move `folder/current` to the new set; returns rows by table.

    `current` is a link, so the files of one set always belong to one watermark; `watermark.json` in the set names it.
    The folder `newest` has each entity's newest row alone. Sets of before are kept for readers that have not finished.
    """
    for left in folder.glob(".[0-9]*"):  # of a process that was killed; the state's lock lets one publish at a time
        shutil.rmtree(left)
    snapshots = folder / "snapshots"
    name = f"{built_at:%Y%m%dT%H%M%S%f}-{lsn_text.replace('/', '-')}"
    unfinished = folder / f".{name}"
    unfinished.mkdir(parents=True)
    (unfinished / NEWEST).mkdir()
    rows = {table: _export(con, table, key, as_of, unfinished) for table, key in _feature_tables(con)}
    watermark = {"lsn": lsn_text, "asOf": as_of.isoformat(), "builtAt": built_at.isoformat(), "rows": rows}
    (unfinished / "watermark.json").write_text(json.dumps(watermark, indent=1), encoding="utf-8")
    for file in unfinished.rglob("*"):
        sync(file)
    snapshots.mkdir(exist_ok=True)
    move_into_place(unfinished, snapshots / name)
    link = folder / ".current"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("snapshots") / name)
    move_into_place(link, folder / "current")
    _clean_sets(snapshots)
    return rows


def _clean_sets(snapshots: Path) -> None:
    """Remove all sets but the newest three and those of the last minutes."""
    young = time.time() - _KEEP_SNAPSHOT_SECONDS
    for old in sorted(path for path in snapshots.iterdir() if path.is_dir())[:-_KEEP_SNAPSHOTS]:
        if old.stat().st_mtime < young:
            shutil.rmtree(old)


def _feature_tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Names of the feature tables and of their join keys, the first column."""
    found = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = ? AND column_index = 1 ORDER BY table_name",
        [FEATURES],
    ).fetchall()
    return [(str(table), str(key)) for table, key in found]


def _export(con: duckdb.DuckDBPyConnection, table: str, key: str, as_of: datetime, folder: Path) -> int:
    """A feature table as of a watermark. The day that is not over counts from the watermark on; later days do not."""
    tonight = datetime.combine(as_of.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    at, end = (f"TIMESTAMPTZ '{moment.isoformat()}'" for moment in (as_of, tonight))
    known = f"(FROM {FEATURES}.{table} WHERE event_timestamp <= {end})"
    if tonight - as_of == timedelta(days=1):  # at midnight two days end at the watermark, the newer one counts
        over = f"(SELECT {key} FROM {known} WHERE event_timestamp = {end})"
        known = f"(FROM {known} WHERE event_timestamp <> {at} OR {key} NOT IN {over})"
    newest = f"(SELECT {key}, max(event_timestamp) AS event_timestamp FROM {known} GROUP BY {key})"
    rows = 0
    for source, path in (
        (f"{known} SEMI JOIN {newest} USING ({key}, event_timestamp)", folder / NEWEST / f"{table}.parquet"),
        (known, folder / f"{table}.parquet"),
    ):
        written = con.execute(
            f"COPY (SELECT * REPLACE (least(event_timestamp, {at}) AS event_timestamp, {at} AS created_timestamp)"
            f" FROM {source} ORDER BY {key}, event_timestamp) TO {literal(str(path))}"
            " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
        ).fetchone()
        rows = int(written[0]) if written else 0
    return rows
