"""The base rewrite merges the change log's tail into `current`; expiry bounds the space.

A rewrite writes the result of the query that readers use (`state_sql`) at one watermark, so the two cannot differ.
Because it runs only when the tail is a fixed share of the base, each changed row is written a constant number of times
on average.
"""

import tempfile
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

    No reader sees it before a later watermark names it. Its commit holds the watermark's LSN, so that a writer that
    opens the table after a kill knows what the base contains. Its rows lie in the order of their last changes: what
    was written together lies together, which takes a third of the bytes less than the order of a join. Only the tail
    is sorted for that.
    """
    with connect(lake) as con, tempfile.TemporaryDirectory() as spill:
        con.execute("SET memory_limit = '128MB'")
        con.execute("SET threads = 1")
        con.execute(f"SET temp_directory = {literal(spill)}")
        files = copy_hot(con, table_files(lake, name, watermark.versions[name], watermark.lsn), "hot", name)
        rows = con.execute(state_sql(files, in_order=True)).to_arrow_reader(REWRITE_BATCH_ROWS)
        hit("cdc.fold_mid")
        parts = (pa.Table.from_batches([batch]) for batch in rows)
        version = current.write(parts, rows.schema, watermark.lsn, mode="overwrite")
    hit("cdc.fold_after")
    return version


def expire_watermarks(watermarks: Appender, newest: Watermark, retention_hours: int) -> None:
    """Delete the watermarks that are older than `retention_hours`, except the newest."""
    horizon = datetime.now(UTC) - timedelta(hours=retention_hours)
    before = f"(lsn < {newest.lsn} OR created_at < {_instant(newest.created_at)})"
    watermarks.through(lambda table: table.delete(f"created_at < {_instant(horizon)} AND {before}"))
    expire_files(watermarks, retention_hours)


def expire_files(table: Appender, retention_hours: int) -> None:
    """Delete the files that the table has not had for `retention_hours`, and old log entries.

    What the newest version has stays, so a watermark must name that version before.
    """
    table.through(lambda handle: _vacuum(handle, retention_hours))
    hit("cdc.expire_mid")
    table.through(DeltaTable.cleanup_metadata)


def _instant(moment: datetime) -> str:
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"arrow_cast('{stamp}', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def forget(table: DeltaTable, retention_hours: int) -> None:
    """Delete the files of a table that no version of the last `retention_hours` needs; durable on return."""
    before = table.version()
    _vacuum(table, retention_hours)
    sync_since(table, before)


def _vacuum(table: DeltaTable, retention_hours: int) -> None:
    """Files of that age that no version ever named, left by a killed writer, are deleted too."""
    table.vacuum(retention_hours=retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
