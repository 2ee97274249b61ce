"""Watermarks: a row names an LSN and the versions of all tables that belong to it. Readers read only those versions."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from warehouse.lake.catalog import WATERMARKS, ensure_table, open_table, table_uri
from warehouse.lake.commit import commit_rows
from warehouse.lake.lsn import format_lsn

_SCHEMA = pa.schema(
    [
        pa.field("lsn", pa.int64()),
        pa.field("commit_ts", pa.timestamp("us", tz="UTC")),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("versions", pa.string()),
        pa.field("source", pa.string()),
    ]
)


class LakeStateError(RuntimeError):
    """The lake has no exact state for the request; the message says why and what to do."""


class SnapshottedAnew(LakeStateError):
    """The requested LSN lies in the gap before a new snapshot; a later LSN has an exact state."""


@dataclass(frozen=True)
class TableVersion:
    """Delta versions of one table. `current` holds every change up to `folded_lsn`, the change log the rest.

    `stopped_lsn`, `error` and `stopped_at` are set when replication of this table stopped; its state is then that of
    `stopped_lsn`. `relation` is the fingerprint of the source's table and of its membership in the publication.
    """

    changes: int
    current: int
    folded_lsn: int
    stopped_lsn: int | None = None
    error: str | None = None
    stopped_at: datetime | None = None
    relation: str | None = None


@dataclass(frozen=True)
class Source:
    """Which Postgres history the LSNs belong to.

    `kind` is `snapshot` for the first watermark after a snapshot, the first one or a later one. `snapshots` counts the
    snapshots of all tables ever taken, `table_snapshots` those of single tables.
    """

    system_id: str
    timeline: int
    slot: str
    kind: str = "stream"
    snapshots: int = 0
    table_snapshots: int = 0


@dataclass(frozen=True)
class Watermark:
    """All transactions that ended at or before `lsn`, and no other."""

    lsn: int
    commit_ts: datetime
    created_at: datetime
    versions: Mapping[str, TableVersion] = field(default_factory=dict)
    source: Source | None = None

    @property
    def lsn_text(self) -> str:
        return format_lsn(self.lsn)


def open_watermarks(lake: str) -> DeltaTable:
    """The watermark table for its single writer, created when absent."""
    return ensure_table(table_uri(lake, WATERMARKS), _SCHEMA, ("lsn",))


def write_watermark(table: DeltaTable, mark: Watermark) -> int:
    """Append one row; returns the version of the watermark table."""
    versions = {
        name: {
            "changes": v.changes,
            "current": v.current,
            "foldedLsn": v.folded_lsn,
            **({"stoppedLsn": v.stopped_lsn, "error": v.error} if v.error else {}),
            **({"stoppedAt": v.stopped_at.isoformat()} if v.stopped_at else {}),
            **({"relation": v.relation} if v.relation else {}),
        }
        for name, v in sorted(mark.versions.items())
    }
    source = mark.source
    row = {
        "lsn": mark.lsn,
        "commit_ts": mark.commit_ts,
        "created_at": mark.created_at,
        "versions": json.dumps(versions, separators=(",", ":")),
        "source": json.dumps(source.__dict__) if source else None,
    }
    return commit_rows(table, pa.Table.from_pylist([row], schema=_SCHEMA), mark.lsn)


def latest_watermark(lake: str | os.PathLike[str]) -> Watermark | None:
    """The newest watermark, or None while the first snapshot has not finished."""
    files = _files(lake)
    if not files:
        return None
    top = max(high for _, high in files)
    return _first([path for path, high in files if high == top], "true", "DESC")


def watermarks(lake: str | os.PathLike[str]) -> list[Watermark]:
    """Every watermark kept, oldest first."""
    return _query([path for path, _ in _files(lake)], "true ORDER BY lsn, created_at")


def watermark_at(lake: str | os.PathLike[str], lsn: int) -> Watermark:
    """The lake exactly at `lsn`, which may lie between two stored watermarks.

    The base comes from the last watermark at or before it (a later fold already contains later rows), the change log
    from the first one at or after it. A table that stopped between the two is shown as stopped. Raises LakeStateError
    when the lake has not reached `lsn`, SnapshottedAnew when a new snapshot skipped it.
    """
    files = [path for path, _ in _files(lake)]
    first = _first(files, f"lsn <= {lsn}", "DESC")
    if first is not None and first.lsn == lsn:
        return first
    last = _first(files, f"lsn >= {lsn}", "ASC")
    if last is None:
        raise LakeStateError(
            f"the lake has reached {first.lsn_text if first else 'nothing'}, not yet {format_lsn(lsn)}"
        )
    if first is None:
        raise SnapshottedAnew(f"the lake begins at {last.lsn_text}, after {format_lsn(lsn)}")
    if last.source is not None and last.source.kind == "snapshot":
        raise SnapshottedAnew(f"no exact state at {format_lsn(lsn)}: the lake was snapshotted anew at {last.lsn_text}")
    versions = {
        name: _between(base, last.versions[name]) for name, base in first.versions.items() if name in last.versions
    }
    return Watermark(lsn, first.commit_ts, last.created_at, versions, first.source)


def _between(base: TableVersion, later: TableVersion) -> TableVersion:
    """One table between two watermarks: the earlier one's base, the later one's log and stop.

    A table that was stopped at the earlier watermark keeps its state there: the snapshot that repairs it begins a new
    log and may give a column another type.
    """
    if base.error:
        return base
    return replace(later, current=base.current, folded_lsn=base.folded_lsn)


def _files(lake: str | os.PathLike[str]) -> list[tuple[str, int]]:
    """The live files of the watermark table, each with its highest LSN."""
    root = table_uri(lake, WATERMARKS)
    table = open_table(root)
    if table is None:
        return []
    actions = table.get_add_actions(flatten=True)
    if "max.lsn" not in actions.column_names:
        return []
    return [
        (f"{root}/{path}", int(high))
        for path, high in zip(actions["path"].to_pylist(), actions["max.lsn"].to_pylist(), strict=True)
    ]


def oldest_watermark(lake: str | os.PathLike[str]) -> Watermark | None:
    """The oldest watermark that is kept, or None while the first snapshot has not finished."""
    return _first([path for path, _ in _files(lake)], "true", "ASC")


def watermark_by(lake: str | os.PathLike[str], moment: datetime) -> Watermark | None:
    """The last watermark in Delta whose newest transaction was committed at or before `moment`."""
    stamp = moment.astimezone(UTC).isoformat()
    return _first([path for path, _ in _files(lake)], f"commit_ts <= TIMESTAMPTZ '{stamp}'", "DESC")


def _first(files: list[str], condition: str, order: str) -> Watermark | None:
    found = _query(files, f"{condition} ORDER BY lsn {order}, created_at DESC LIMIT 1")
    return found[0] if found else None


def _query(files: list[str], condition: str) -> list[Watermark]:
    if not files:
        return []
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
    with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as con:
        con.execute("SET TimeZone = 'UTC'")
        rows = con.execute(f"SELECT * FROM read_parquet([{listed}]) WHERE {condition}").to_arrow_table()
    return [_parse(row) for row in rows.to_pylist()]


def _parse(row: Mapping[str, object]) -> Watermark:
    commit_ts, created_at, lsn = row["commit_ts"], row["created_at"], row["lsn"]
    if not (isinstance(commit_ts, datetime) and isinstance(created_at, datetime) and isinstance(lsn, int)):
        raise LakeStateError(f"watermark row is damaged: {row!r:.200}")
    versions = {name: _version(v) for name, v in json.loads(str(row["versions"])).items()}
    source = Source(**json.loads(str(row["source"]))) if row["source"] else None
    return Watermark(lsn, commit_ts.astimezone(UTC), created_at.astimezone(UTC), versions, source)


def _version(stored: Mapping[str, Any]) -> TableVersion:  # Any: one table's entry in the row's JSON
    at = stored.get("stoppedAt")
    return TableVersion(
        stored["changes"],
        stored["current"],
        stored["foldedLsn"],
        stored.get("stoppedLsn"),
        stored.get("error"),
        datetime.fromisoformat(at) if at else None,
        stored.get("relation"),
    )
