"""One Delta commit: rows and the LSN that the table then stands at, in one atomic log entry; and its fsync."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

from warehouse.files import sync
from warehouse.lake.catalog import arrow_schema, primary_key, root_of

APP_ID = "souk_cdc"
_PLAIN = ColumnProperties(dictionary_enabled=False)

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
    """Write `data` and, when given, the table's new LSN in one commit; returns the new version.

    With `evolve` the same commit adds columns of `data` that the table lacks. `lsn` becomes the Delta application
    transaction `souk_cdc`: `durable_lsn` reads it after a crash.
    """
    noted = {"lsn": str(lsn)} if lsn is not None else {}
    properties = CommitProperties(
        custom_metadata=noted | dict(metadata or {}),
        app_transactions=[Transaction(APP_ID, lsn)] if lsn is not None else None,
    )
    schema_mode: Literal["merge"] | None = "merge" if evolve else None
    write_deltalake(
        table, data, mode=mode, schema_mode=schema_mode, commit_properties=properties, writer_properties=_layout(table)
    )
    return table.version()


def _layout(table: DeltaTable) -> WriterProperties:
    """ZSTD in row groups of 256 Ki rows.

    No dictionary for columns whose values are nearly all distinct: building it takes a third of the write, and the file
    becomes larger.
    """
    return WriterProperties(
        compression="ZSTD",
        compression_level=1,
        max_row_group_size=256 * 1024,
        column_properties=dict.fromkeys(distinct_columns(primary_key(table), arrow_schema(table)), _PLAIN),
    )


def distinct_columns(key: Iterable[str], schema: pa.Schema) -> set[str]:
    """Columns whose values are nearly all distinct: they get no dictionary."""
    return {*key, "_ordinal", *(field.name for field in schema if pa.types.is_timestamp(field.type))}


def durable_lsn(table: DeltaTable) -> int:
    """The LSN of the last commit that carried one, 0 when there is none."""
    return table.transaction_version(APP_ID) or 0


def sync_commits(commits: Iterable[tuple[DeltaTable, int]]) -> None:
    """fsync the files and log entry of each (table, version) on a local lake, and the checkpoint that delta-rs wrote.

    A write to an object store is durable when it returns.
    """
    for table, version in commits:
        root = root_of(table)
        if "://" not in root:
            _sync_commit(Path(root), version)


def sync_since(table: DeltaTable, version: int) -> None:
    """fsync every commit after `version`: a later, durable commit depends on all of them."""
    sync_commits((table, number) for number in range(version + 1, table.version() + 1))


def _sync_commit(root: Path, version: int) -> None:
    entry = root / "_delta_log" / f"{version:020d}.json"
    try:
        lines = entry.read_bytes().split(b"\n")  # not splitlines: a value in the statistics may hold U+2028
    except FileNotFoundError:  # expired: a later checkpoint, which was synced, holds what it said
        return
    for line in lines:
        if not line:
            continue
        add = json.loads(line).get("add")
        if add and (root / add["path"]).exists():  # an old commit's file may have been compacted and vacuumed since
            sync(root / add["path"])
    sync(entry)
    checkpoint = entry.with_suffix(".checkpoint.parquet")
    if checkpoint.exists():
        sync(checkpoint)
        sync(entry.with_name("_last_checkpoint"))
    sync(entry.parent)
    sync(root)
