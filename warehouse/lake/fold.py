"""The fold merges the change log's tail into `current`; compaction and expiry bound the number of files and the space.

A fold writes the result of the query that readers use (`state_sql`) at one watermark, so the two cannot differ. It
rewrites the whole base. Because it runs only when the tail is a fixed share of the base, each changed row is written a
constant number of times on average.
"""

from datetime import UTC, datetime, timedelta

from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.lake.commit import commit_rows, sync_commits, sync_since
from warehouse.lake.read import connect, quote, state_sql, table_files
from warehouse.lake.watermark import TableVersion, Watermark

FOLD_BATCH_ROWS = 64 * 1024
COMPACT_TARGET_BYTES = 64 * 1024 * 1024


def fold_table(lake: str, name: str, current: DeltaTable, watermark: Watermark) -> TableVersion:
    """Write the table's state at the watermark as the new base; returns versions whose `folded_lsn` is the watermark.

    No reader sees the new version before a later watermark names it, so a kill here loses only the work.
    """
    shown = watermark.versions[name]
    files = table_files(lake, name, shown, watermark.lsn)
    order = ", ".join(quote(column) for column in files.key)
    with connect() as con:
        con.execute("SET memory_limit = '1GB'")
        con.execute("SET threads = 2")
        rows = con.execute(f"SELECT * FROM ({state_sql(files)}) ORDER BY {order}").to_arrow_reader(FOLD_BATCH_ROWS)
        hit("cdc.fold_mid")
        version = commit_rows(current, rows, None, {"foldedLsn": str(watermark.lsn)}, mode="overwrite", evolve=True)
    sync_commits([(current, version)])
    hit("cdc.fold_after")
    return TableVersion(shown.changes, version, watermark.lsn)


def compact(table: DeltaTable) -> int:
    """Join small files of a table; no row changes. Returns the version after it.

    Durable on return, because the next commit depends on it.
    """
    hit("cdc.compact_mid")
    before = table.version()
    table.optimize.compact(target_size=COMPACT_TARGET_BYTES)
    sync_since(table, before)
    return table.version()


def expire(tables: list[DeltaTable], watermarks: DeltaTable, retention_hours: int) -> datetime:
    """Delete the files that no watermark of the last `retention_hours` needs, and older watermarks.

    Returns the oldest time that is still readable.
    """
    horizon = datetime.now(UTC) - timedelta(hours=retention_hours)
    stamp = horizon.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    before = watermarks.version()
    watermarks.delete(
        f"created_at < arrow_cast('{stamp}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
        f" AND lsn < {_newest_lsn(watermarks)}"
    )
    sync_since(watermarks, before)
    for table in [*tables, watermarks]:
        forget(table, retention_hours)
    return horizon


def forget(table: DeltaTable, retention_hours: int) -> None:
    """Delete the files of a table that no version of the last `retention_hours` needs.

    Files of that age that no version ever named, left by a killed writer, are deleted too.
    """
    before = table.version()
    table.vacuum(retention_hours=retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
    sync_since(table, before)


def _newest_lsn(watermarks: DeltaTable) -> int:
    found = watermarks.get_add_actions(flatten=True)
    return max(found["max.lsn"].to_pylist(), default=0)
