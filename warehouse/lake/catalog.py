"""Where each lake table lies, how it is created and how a column is added.

The only module that depends on the folder layout.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import TableNotFoundError

from warehouse.contract import Table

WATERMARKS = "_watermarks"
_CONFIGURATION: Mapping[str, str] = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 2 days",  # readers come by watermark, and those are younger
}


def table_uri(lake: str | os.PathLike[str], *parts: str) -> str:
    """`lake` joined with `changes`/`current`/`derived` and a name; works for folders and object-store URIs."""
    root = str(lake)
    if "://" not in root:
        root = str(Path(root).absolute())
    return "/".join([root.rstrip("/"), *parts])


def open_table(uri: str, version: int | None = None) -> DeltaTable | None:
    """The table at a version (latest when None), or None when nothing was ever committed there."""
    try:
        return DeltaTable(uri, version=version)
    except TableNotFoundError:
        return None


class TypeChanged(ValueError):
    """A column's type in the lake differs from the contract's: it needs a new table, never a silent cast."""


def ensure_table(uri: str, schema: pa.Schema, key: tuple[str, ...] = ()) -> DeltaTable:
    """Open or create the table. The key travels in the table's description, so that readers need no contract."""
    table = open_table(uri)
    if table is not None:
        if not _CONFIGURATION.items() <= table.metadata().configuration.items():
            table.alter.set_table_properties(dict(_CONFIGURATION))
        return table
    if "://" not in uri:
        Path(uri).mkdir(parents=True, exist_ok=True)
    description = json.dumps({"primaryKey": list(key)})
    return DeltaTable.create(
        uri, schema=Schema.from_arrow(schema), description=description, configuration=dict(_CONFIGURATION)
    )


def added_columns(table: DeltaTable, schema: pa.Schema) -> list[str]:
    """Columns of `schema` that the table does not have yet; raises TypeChanged."""
    have = arrow_schema(table)
    for field in schema:
        if field.name in have.names and have.field(field.name).type != field.type:
            name = root_of(table).rpartition("/")[2]
            raise TypeChanged(
                f"table {name}, column {field.name}: the lake has {have.field(field.name).type}, the contract"
                f" {field.type}"
            )
    return [name for name in schema.names if name not in have.names]


def ensure_changes(lake: str, table: Table) -> DeltaTable:
    return ensure_table(table_uri(lake, "changes", table.name), table.changes_schema, table.primary_key)


def ensure_current(lake: str, table: Table) -> DeltaTable:
    return ensure_table(table_uri(lake, "current", table.name), table.current_schema, table.primary_key)


def primary_key(table: DeltaTable) -> tuple[str, ...]:
    """The key columns stored when the table was created."""
    description = table.metadata().description
    return tuple(json.loads(description)["primaryKey"]) if description else ()


def arrow_schema(table: DeltaTable) -> pa.Schema:
    """The table's columns with plain Arrow types (delta-rs may return view types)."""
    schema = pa.schema(table.schema().to_arrow())
    plain = {
        pa.string_view(): pa.string(),
        pa.large_string(): pa.string(),
        pa.binary_view(): pa.binary(),
        pa.large_binary(): pa.binary(),
    }
    return pa.schema([field.with_type(plain.get(field.type, field.type)) for field in schema])


def root_of(table: DeltaTable) -> str:
    """Where the table lies: its URI on an object store, a plain path on a local lake, where delta-rs returns an escaped
    URL.
    """
    uri = table.table_uri.rstrip("/")
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri


def data_files(table: DeltaTable) -> list[str]:
    """Paths (URIs on an object store) of the live files."""
    root = root_of(table)
    return sorted(f"{root}/{path}" for path in pa.table(table.get_add_actions(flatten=True))["path"].to_pylist())
