"""The base rewrite merges the change log's tail into `current`; expiry bounds the space.

A rewrite writes the result of the query that readers use (`state_sql`) at one watermark, so the two cannot differ.
Because it runs only when the tail is a fixed share of the base, each changed row is written a constant number of times
on average.
"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from warehouse.failpoints import hit
from warehouse.lake.append import Appender, DataFile, inserts_between
from warehouse.lake.commit import sync_since
from warehouse.lake.read import TableFiles, connect, copy_hot, literal, state_sql, table_files
from warehouse.lake.watermark import Watermark

REWRITE_BATCH_ROWS = 32 * 1024
_BASE_FILES = 64


def rewrite_base(lake: str, name: str, current: Appender, watermark: Watermark) -> int:
    """Write the table's state at the watermark as the new base; returns its version.

    No reader sees it before a later watermark names it. Its commit holds the watermark's LSN, so that a writer that
    opens the table after a kill knows what the base contains. Its rows lie in the order of their last changes: what
    was written together lies together, which takes a third of the bytes less than the order of a join. Only the tail
    is sorted for that. A tail of nothing but inserts needs no writing: its files are the base's too, by a second name.
    """
    files = table_files(lake, name, watermark.versions[name], watermark.lsn)
    inserted = _inserted(files, current)
    if inserted:
        hit("cdc.fold_mid")
        current.widen(pa.schema([files.schema.field(column) for column in [*files.columns, "_commit_lsn"]]))
        version = current.share(str(Path(files.tail[0]).parent), inserted, [], watermark.lsn)
        hit("cdc.fold_after")
        return version
    with connect(lake) as con, tempfile.TemporaryDirectory() as spill:
        con.execute("SET memory_limit = '128MB'")
        con.execute("SET threads = 1")
        con.execute(f"SET temp_directory = {literal(spill)}")
        files = copy_hot(con, files, "hot", name)
        rows = con.execute(state_sql(files, in_order=True)).to_arrow_reader(REWRITE_BATCH_ROWS)
        hit("cdc.fold_mid")
        parts = (pa.Table.from_batches([batch]) for batch in rows)
        version = current.write(parts, rows.schema, watermark.lsn, mode="overwrite")
    hit("cdc.fold_after")
    return version


def _inserted(files: TableFiles, current: Appender) -> list[DataFile]:
    """The files of a tail that only inserts, whose keys the base cannot hold; none where the tail does more, or where
    the base would get too many files."""
    if not current.local or files.hot is not None or len(current.files) + len(files.tail) > _BASE_FILES:
        return []
    found = [inserts_between(path, files.folded_lsn, files.lsn) for path in files.tail]
    return [file for file in found if file is not None] if None not in found else []


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
