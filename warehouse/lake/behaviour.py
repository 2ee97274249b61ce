"""Behaviour events in the lake: `behaviour/events`, partitioned by the UTC day of occurrence, and `behaviour/rejected`.

`python -m warehouse.events` writes both; readers need this module only.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, Schema

from warehouse.lake.catalog import data_files, open_table, root_of, table_uri
from warehouse.lake.commit import sync_since
from warehouse.lake.objects import reach
from warehouse.lake.read import quote, scan_sql

DAY = "day"
EVENTS = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("event_type", pa.string()),
        pa.field("product_id", pa.string()),
        pa.field("query", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("session_key", pa.string()),
        pa.field("source", pa.string()),
        pa.field("campaign", pa.string()),
        pa.field("list_position", pa.int32()),
        pa.field("quantity", pa.int32()),
        pa.field("order_id", pa.string()),
        pa.field("result_count", pa.int32()),
        pa.field("search_id", pa.string()),
        pa.field("relaxed_words", pa.string()),
        pa.field("corrected_query", pa.string()),
        pa.field("sort", pa.string()),
        pa.field("filter_names", pa.string()),
        pa.field("page", pa.int32()),
        pa.field("page_size", pa.int32()),
        pa.field("shown_products", pa.string()),
        pa.field("language", pa.string()),
        pa.field("is_bot", pa.bool_()),
        pa.field("time_source", pa.string()),
        pa.field("occurred_at", pa.timestamp("us", tz="UTC")),
        pa.field("received_at", pa.timestamp("us", tz="UTC")),
        pa.field("landed_at", pa.timestamp("us", tz="UTC")),
    ]
)
REJECTED = pa.schema(
    [
        pa.field("partition", pa.string()),
        pa.field("entry_id", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("fields", pa.string()),
        pa.field("rejected_at", pa.timestamp("us", tz="UTC")),
    ]
)
_CONFIGURATION = {"delta.checkpointInterval": "50", "delta.logRetentionDuration": "interval 7 days"}


def events_uri(lake: str | os.PathLike[str]) -> str:
    """Where the events lie."""
    return table_uri(lake, "behaviour", "events")


def rejected_uri(lake: str | os.PathLike[str]) -> str:
    """Where the stream's entries lie that are no events, with the reason."""
    return table_uri(lake, "behaviour", "rejected")


def ensure_events(lake: str | os.PathLike[str]) -> DeltaTable:
    """Open or create the table of events. A partition is one UTC day."""
    return _ensure(events_uri(lake), EVENTS.append(pa.field(DAY, pa.date32())), [DAY])


def ensure_rejected(lake: str | os.PathLike[str]) -> DeltaTable:
    """Open or create the table of rejected entries."""
    return _ensure(rejected_uri(lake), REJECTED, None)


def _ensure(uri: str, schema: pa.Schema, partition_by: list[str] | None) -> DeltaTable:
    table = open_table(uri)
    if table is not None:
        return _with_columns(table, schema)
    if "://" not in uri:
        os.makedirs(uri, exist_ok=True)  # noqa: PTH103 - the URI is a folder's path here
    return DeltaTable.create(
        uri, schema=Schema.from_arrow(schema), partition_by=partition_by, configuration=dict(_CONFIGURATION)
    )


def _with_columns(table: DeltaTable, schema: pa.Schema) -> DeltaTable:
    """A table of an earlier release gets the columns that are new; its rows have NULL there."""
    known = {field.name for field in table.schema().fields}
    new = pa.schema([field for field in schema if field.name not in known])
    if len(new):
        before = table.version()
        table.alter.add_columns(Schema.from_arrow(new).fields)
        table.update_incremental()
        sync_since(table, before)
    return table


def attach_events(con: duckdb.DuckDBPyConnection, lake: str | os.PathLike[str], schema: str = "behaviour") -> None:
    """The view `behaviour_events` over the newest commit. It names files, so what lands later does not change it."""
    table = open_table(events_uri(lake))
    files = data_files(table) if table is not None else []
    reach(con, lake)
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}")
    con.execute(f"CREATE OR REPLACE VIEW {quote(schema)}.behaviour_events AS {events_sql(files)}")


def events_landed(lake: str | os.PathLike[str]) -> int:
    """How many events the lake holds, from the table's log; nothing but landing changes it."""
    table = open_table(events_uri(lake))
    return sum(pa.table(table.get_add_actions())["num_records"].to_pylist()) if table is not None else 0


def events_sql(files: Sequence[str]) -> str:
    """All rows of `files` with the columns of `EVENTS`; NULL where a file is older than a column."""
    return scan_sql(tuple(files), EVENTS)


def files_received_since(table: DeltaTable, moment: datetime) -> list[str]:
    """Files that may hold an event received at or after `moment`."""
    actions, root = pa.table(table.get_add_actions(flatten=True)), root_of(table)
    paths = actions["path"].to_pylist()
    if "max.received_at" not in actions.column_names:
        return [f"{root}/{path}" for path in paths]
    newest = actions["max.received_at"].to_pylist()
    return [f"{root}/{path}" for path, high in zip(paths, newest, strict=True) if high is None or _utc(high) >= moment]


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)
