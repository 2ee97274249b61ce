"""The base rewrite merges the change log's tail into `current`; expiry bounds the space.

A rewrite writes the result of the query that readers use (`state_sql`) at one watermark, so the two cannot differ.
Because it runs only when the tail is a fixed share of the base, each changed row is written a constant number of times
on average.
"""

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.lake.append import Appender
from warehouse.lake.commit import sync_since
from warehouse.lake.read import connect, copy_hot, literal, state_sql, table_files
from warehouse.lake.watermark import Watermark

REWRITE_BATCH_ROWS = 32 * 1024


def rewrite_base(lake: str, name: str, current: Appender, watermark: Watermark) -> int:
    """Write the table's state at the watermark as the new base; returns its version.

    No reader sees it before a later watermark names it, so a kill here loses only the work.
    """
    with connect(lake) as con, tempfile.TemporaryDirectory() as spill:
        con.execute("SET memory_limit = '128MB'")
        con.execute("SET threads = 1")
        con.execute(f"SET temp_directory = {literal(spill)}")
        files = copy_hot(con, table_files(lake, name, watermark.versions[name], watermark.lsn), "hot", name)
        rows = con.execute(state_sql(files)).to_arrow_reader(REWRITE_BATCH_ROWS)
        hit("cdc.fold_mid")
        parts = (pa.Table.from_batches([batch]) for batch in rows)
        version = current.write(parts, rows.schema, None, mode="overwrite")
    hit("cdc.fold_after")
    return version


def expire(tables: Iterable[Appender], watermarks: Appender, retention_hours: int) -> datetime:
    """Delete the files that no watermark of the last `retention_hours` needs, and older watermarks.

    Returns the oldest time that is still readable.
    """
    horizon = datetime.now(UTC) - timedelta(hours=retention_hours)
    stamp = horizon.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    newest = max((file.high or 0 for file in watermarks.files.values()), default=0)
    old = f"created_at < arrow_cast('{stamp}', 'Timestamp(Microsecond, Some(\"UTC\"))') AND lsn < {newest}"
    watermarks.through(lambda table: table.delete(old))
    for table in [*tables, watermarks]:
        table.through(lambda handle: _vacuum(handle, retention_hours))
        table.through(DeltaTable.cleanup_metadata)
    return horizon


def forget(table: DeltaTable, retention_hours: int) -> None:
    """Delete the files of a table that no version of the last `retention_hours` needs; durable on return."""
    before = table.version()
    _vacuum(table, retention_hours)
    sync_since(table, before)


def _vacuum(table: DeltaTable, retention_hours: int) -> None:
    """Files of that age that no version ever named, left by a killed writer, are deleted too."""
    table.vacuum(retention_hours=retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
