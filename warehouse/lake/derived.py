"""Tables that another engine computed from the lake.

The engine's Parquet files become a Delta commit without being read or copied again.
"""

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.transaction import AddAction, create_table_with_add_actions

from warehouse.lake.catalog import arrow_schema, data_files, open_table, table_uri
from warehouse.lake.commit import sync_commits
from warehouse.lake.watermark import LakeStateError

Mode = Literal["append", "overwrite"]
_UPLOAD_ROWS = 64 * 1024


def derived_uri(lake: str | os.PathLike[str], name: str) -> str:
    """The folder of a derived table: where an engine writes its Parquet files before `commit_files`."""
    return table_uri(lake, "derived", name)


def commit_files(
    lake: str | os.PathLike[str],
    name: str,
    parquet_files: Iterable[str | os.PathLike[str]],
    schema: pa.Schema,
    *,
    mode: Mode = "overwrite",
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Commit Parquet files to a derived table; returns the new version.

    In a folder they must already lie under `derived_uri(lake, name)` and are only named; to an object store their rows
    are written. `metadata` is kept in the commit (`read_metadata`): put the source watermark's LSN there. Raises
    ValueError when a file lies elsewhere or its columns are not exactly those of `schema`; nothing is committed then.
    """
    uri = derived_uri(lake, name)
    if "://" in uri:
        return _upload(uri, [Path(file) for file in parquet_files], schema, mode, metadata or {})
    root = Path(uri)
    actions = [_add(root, Path(file).absolute(), schema) for file in parquet_files]
    properties = CommitProperties(custom_metadata=dict(metadata or {}))
    table = open_table(uri)
    if table is None:
        root.mkdir(parents=True, exist_ok=True)
        create_table_with_add_actions(
            uri, Schema.from_arrow(schema), actions, mode="error", commit_properties=properties
        )
    else:
        table.create_write_transaction([*actions], mode, Schema.from_arrow(schema), commit_properties=properties)
    table = open_table(uri)
    if table is None:
        raise LakeStateError(f"{uri}: the commit left no table")
    sync_commits([(table, table.version())])
    return table.version()


def _upload(uri: str, files: Sequence[Path], schema: pa.Schema, mode: Mode, metadata: Mapping[str, str]) -> int:
    for file in files:
        _check(file, pq.ParquetFile(file).schema_arrow, schema)
    batches = (
        pa.Table.from_batches([batch]).select(schema.names).cast(schema).combine_chunks().to_batches()
        for file in files
        for batch in pq.ParquetFile(file).iter_batches(_UPLOAD_ROWS)
    )
    rows = pa.RecordBatchReader.from_batches(schema, (part for parts in batches for part in parts))
    properties = CommitProperties(custom_metadata=dict(metadata))
    write_deltalake(uri, rows, mode=mode, commit_properties=properties)
    return DeltaTable(uri).version()


def read_derived(lake: str | os.PathLike[str], name: str, version: int | None = None) -> pa.Table:
    """A derived table at a version (latest when None), types as committed; raises LakeStateError when there is none."""
    table = open_table(derived_uri(lake, name), version)
    if table is None:
        raise LakeStateError(f"derived table {name} was never written to {table_uri(lake)}")
    schema = arrow_schema(table)
    if "://" in table.table_uri.removeprefix("file://"):
        rows: pa.Table = table.to_pyarrow_table()
        return rows.select(schema.names).cast(schema)
    files = derived_files(lake, name, version)
    return pa.concat_tables(
        [pq.read_table(file).select(schema.names).cast(schema) for file in files] or [schema.empty_table()]
    )


def derived_files(lake: str | os.PathLike[str], name: str, version: int | None = None) -> list[str]:
    """The live Parquet files, for `read_parquet` of DuckDB or Spark."""
    table = open_table(derived_uri(lake, name), version)
    if table is None:
        raise LakeStateError(f"derived table {name} was never written to {table_uri(lake)}")
    return data_files(table)


def read_metadata(lake: str | os.PathLike[str], name: str) -> tuple[int, dict[str, str]]:
    """Version and metadata of the newest commit that wrote rows; raises LakeStateError when there is none.

    A vacuum that removes files also commits, without this metadata: from the second day on it is often the newest
    commit.
    """
    version, history = -1, list[dict[str, Any]]()
    while (table := open_table(derived_uri(lake, name))) is not None and table.version() != version:
        # delta-rs lists the newest commits, whatever the table's version, and numbers them from that version: the
        # numbers are right only while no other writer commits.
        version, history = table.version(), table.history()
    if table is None:
        raise LakeStateError(f"derived table {name} was never written to {table_uri(lake)}")
    written = next(entry for entry in history if not entry["operation"].startswith("VACUUM"))
    return int(written["version"]), {key: str(value) for key, value in written.items()}


def _add(root: Path, file: Path, schema: pa.Schema) -> AddAction:
    if not file.is_relative_to(root):
        raise ValueError(f"{file} does not lie under {root}")
    footer = pq.ParquetFile(file)
    _check(file, footer.schema_arrow, schema)
    size = file.stat().st_size
    stats = json.dumps({"numRecords": footer.metadata.num_rows})
    return AddAction(str(file.relative_to(root)), size, {}, int(time.time() * 1000), data_change=True, stats=stats)


def _check(file: Path, have: pa.Schema, schema: pa.Schema) -> None:
    """Raise ValueError when the file's columns are not those of the table."""
    for field in schema:
        if field.name not in have.names or not _same(have.field(field.name).type, field.type):
            found = have.field(field.name).type if field.name in have.names else "no such column"
            raise ValueError(f"{file.name}, column {field.name}: {found}, expected {field.type}")


def _same(have: pa.DataType, wanted: pa.DataType) -> bool:
    """Equal for a reader: engines differ in the names of the time zone UTC and of a list's item."""
    if pa.types.is_timestamp(have) and pa.types.is_timestamp(wanted):
        return (have.tz is None) == (wanted.tz is None)
    if pa.types.is_list(have) and pa.types.is_list(wanted):
        return _same(have.value_type, wanted.value_type)
    return bool(have == wanted)
