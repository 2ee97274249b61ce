"""One Delta commit = rows and the LSN they bring the table to, in the same atomic log entry; and its fsync."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

APP_ID = "souk_cdc"
_WRITER = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=256 * 1024)

ArrowData: TypeAlias = pa.Table | pa.RecordBatchReader


def commit_rows(
    table: DeltaTable,
    data: ArrowData,
    lsn: int | None,
    metadata: Mapping[str, str] | None = None,
    *,
    mode: Literal["append", "overwrite"] = "append",
    evolve: bool = False,
) -> int:
    """Write ``data`` and, when given, the table's new LSN in one commit; returns the new version.

    With ``evolve`` columns of ``data`` that the table lacks are added by the same commit.

    ``lsn`` becomes the Delta application transaction ``souk_cdc``: ``durable_lsn`` reads it back after any crash.
    """
    noted = {"lsn": str(lsn)} if lsn is not None else {}
    properties = CommitProperties(
        custom_metadata=noted | dict(metadata or {}),
        app_transactions=[Transaction(APP_ID, lsn)] if lsn is not None else None,
    )
    schema_mode: Literal["merge"] | None = "merge" if evolve else None
    write_deltalake(table, data, mode=mode, schema_mode=schema_mode, commit_properties=properties, writer_properties=_WRITER)
    return table.version()


def durable_lsn(table: DeltaTable) -> int:
    """The LSN of the last commit that carried one, 0 when there is none."""
    return table.transaction_version(APP_ID) or 0


def sync_commits(commits: Iterable[tuple[DeltaTable, int]]) -> None:
    """fsync the files and log entry of each (table, version) on a local lake. Object stores are durable when they answer."""
    for table, version in commits:
        uri = table.table_uri.removeprefix("file://")
        if "://" in uri:
            continue
        root = Path(uri)
        entry = root / "_delta_log" / f"{version:020d}.json"
        for line in entry.read_text(encoding="utf-8").splitlines():
            add = json.loads(line).get("add")
            if add:
                _fsync(root / add["path"])
        _fsync(entry)
        _fsync(entry.parent)
        _fsync(root)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
