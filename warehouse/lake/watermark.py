"""Watermarks: a row names an LSN and the versions of all tables that belong to it. Readers read only those versions.

Each batch of the hot log moves the newest watermark on without a row: it has the versions of the last row, and the
batches above that row belong to it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from warehouse.lake.append import Appender
from warehouse.lake.catalog import WATERMARKS, ensure_table, open_table, table_uri
from warehouse.lake.errors import LakeStateError, SnapshottedAnew
from warehouse.lake.hot import Segment, newest_segment
from warehouse.lake.lsn import format_lsn
from warehouse.lake.objects import connect

__all__ = [
    "LakeStateError",
    "SnapshottedAnew",
    "Source",
    "TableVersion",
    "Watermark",
    "above",
    "hot_mark",
    "latest_row",
    "latest_watermark",
    "mark_document",
    "open_watermarks",
    "watermark_at",
    "watermarks",
    "write_watermark",
]
_SCHEMA = pa.schema(
    [
        pa.field("lsn", pa.int64()),
        pa.field("commit_ts", pa.timestamp("us", tz="UTC")),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
        pa.field("versions", pa.string()),
        pa.field("source", pa.string()),
    ]
)


@dataclass(frozen=True)
class TableVersion:
    """Delta versions of one table. `current` holds every change up to `folded_lsn`, the change log the rest.

    `stopped_lsn`, `error` and `stopped_at` are set when replication of this table stopped; its state is then that of
    `stopped_lsn`. `relation` is the fingerprint of the source's table and of its membership in the publication.
    `changed_lsn`: no row of the table is newer; equal numbers mean equal rows. `hot`: the LSN at which the segment of
    the hot log begins that holds the newest rows, None when the change log holds them all.
    """

    changes: int
    current: int
    folded_lsn: int
    stopped_lsn: int | None = None
    error: str | None = None
    stopped_at: datetime | None = None
    relation: str | None = None
    changed_lsn: int = 0
    hot: int | None = None


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


def open_watermarks(lake: str) -> Appender:
    """The watermark table for its single writer, created when absent."""
    return Appender(ensure_table(table_uri(lake, WATERMARKS), _SCHEMA, ("lsn",)), "lsn")


def write_watermark(table: Appender, mark: Watermark) -> int:
    """Append one row, durable on return; returns the version of the watermark table."""
    source = mark.source
    row = {
        "lsn": mark.lsn,
        "commit_ts": mark.commit_ts,
        "created_at": mark.created_at,
        "versions": json.dumps(_versions_document(mark), separators=(",", ":")),
        "source": json.dumps(source.__dict__) if source else None,
    }
    return table.write([pa.Table.from_pylist([row], schema=_SCHEMA)], _SCHEMA, mark.lsn)


def mark_document(mark: Watermark) -> dict[str, object]:
    """A watermark as the JSON document that a segment of the hot log begins with."""
    return {
        "lsn": mark.lsn,
        "commitTs": mark.commit_ts.isoformat(),
        "createdAt": mark.created_at.isoformat(),
        "versions": _versions_document(mark),
        "source": mark.source.__dict__ if mark.source else None,
    }


def latest_watermark(lake: str | os.PathLike[str]) -> Watermark | None:
    """The newest watermark, or None while the first snapshot has not finished."""
    segment = newest_segment(lake)
    return latest_row(lake) if segment is None else hot_mark(segment)


def latest_row(lake: str | os.PathLike[str]) -> Watermark | None:
    """The newest watermark in Delta, without the batches of the hot log."""
    files = _files(lake)
    if not files:
        return None
    top = max(high for _, high in files)
    return _first([path for path, high in files if high == top], "true", "DESC")


def hot_mark(segment: Segment, lsn: int | None = None) -> Watermark:
    """The watermark of the segment's last batch, or the lake exactly at `lsn`, which lies in the segment."""
    base = _parse_document(segment.mark)
    frames = segment.frames if lsn is None else [frame for frame in segment.frames if frame.head.previous < lsn]
    if not frames:
        return base
    last = frames[-1].head
    upto = last.lsn if lsn is None else lsn
    whole = [frame.head.commit_ts for frame in frames if frame.head.lsn <= upto]
    changed = {name: min(frame.head.lsn, upto) for frame in frames for name in frame.parts}
    versions = {
        name: above(version, base.lsn, changed[name]) if name in changed else version
        for name, version in base.versions.items()
    }
    return Watermark(
        upto,
        whole[-1] if whole else base.commit_ts,
        last.created_at,
        versions,
        base.source and replace(base.source, kind="stream"),
    )


def above(version: TableVersion, base: int, changed: int) -> TableVersion:
    """A table with rows in the segment that begins at `base`. A stopped table keeps the state of its stop."""
    return version if version.error else replace(version, hot=base, changed_lsn=changed)


def watermarks(lake: str | os.PathLike[str]) -> list[Watermark]:
    """Every watermark kept in Delta and the newest one, oldest first."""
    kept, newest = _query([path for path, _ in _files(lake)], "true ORDER BY lsn, created_at"), latest_watermark(lake)
    return [*kept, newest] if newest is not None and (not kept or newest.lsn > kept[-1].lsn) else kept


def watermark_at(lake: str | os.PathLike[str], lsn: int) -> Watermark:
    """The lake exactly at `lsn`, which may lie between two stored watermarks.

    Where Delta holds it, the base comes from the last watermark at or before it (a later base already contains later
    rows), the change log from the first one at or after it. A table that stopped between the two is shown as stopped.
    Raises LakeStateError when the lake has not reached `lsn`, SnapshottedAnew when a new snapshot skipped it.
    """
    segment = newest_segment(lake)
    if segment is not None and segment.frames and segment.lsn < lsn <= segment.frames[-1].head.lsn:
        return hot_mark(segment, lsn)
    files = [path for path, _ in _files(lake)]
    first = _first(files, f"lsn <= {lsn}", "DESC")
    if first is not None and first.lsn == lsn:
        return first
    last = _first(files, f"lsn >= {lsn}", "ASC")
    if last is None:
        newest = latest_watermark(lake)
        raise LakeStateError(
            f"the lake has reached {newest.lsn_text if newest else 'nothing'}, not yet {format_lsn(lsn)}"
        )
    if first is None:
        raise SnapshottedAnew(f"the lake begins at {last.lsn_text}, after {format_lsn(lsn)}")
    if last.source is not None and last.source.kind == "snapshot":
        raise SnapshottedAnew(f"no exact state at {format_lsn(lsn)}: the lake was snapshotted anew at {last.lsn_text}")
    versions = {
        name: _between(base, last.versions[name], lsn) for name, base in first.versions.items() if name in last.versions
    }
    return Watermark(lsn, first.commit_ts, last.created_at, versions, first.source)


def _between(base: TableVersion, later: TableVersion, lsn: int) -> TableVersion:
    """One table between two watermarks: the earlier one's base, the later one's log and stop.

    A table that was stopped at the earlier watermark keeps its state there: the snapshot that repairs it begins a new
    log and may give a column another type.
    """
    if base.error:
        return base
    changed = min(later.changed_lsn, lsn)
    return replace(later, current=base.current, folded_lsn=base.folded_lsn, changed_lsn=changed)


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
    with connect(files[0]) as con:
        rows = con.execute(f"SELECT * FROM read_parquet([{listed}]) WHERE {condition}").to_arrow_table()
    return [_parse(row) for row in rows.to_pylist()]


def _parse(row: Mapping[str, object]) -> Watermark:
    commit_ts, created_at, lsn = row["commit_ts"], row["created_at"], row["lsn"]
    if not (isinstance(commit_ts, datetime) and isinstance(created_at, datetime) and isinstance(lsn, int)):
        raise LakeStateError(f"watermark row is damaged: {row!r:.200}")
    source = Source(**json.loads(str(row["source"]))) if row["source"] else None
    versions = _parse_versions(json.loads(str(row["versions"])))
    return Watermark(lsn, commit_ts.astimezone(UTC), created_at.astimezone(UTC), versions, source)


def _parse_document(document: Mapping[str, Any]) -> Watermark:  # Any: what `mark_document` wrote
    source = Source(**document["source"]) if document["source"] else None
    times = (datetime.fromisoformat(document["commitTs"]), datetime.fromisoformat(document["createdAt"]))
    return Watermark(document["lsn"], *times, _parse_versions(document["versions"]), source)


def _versions_document(mark: Watermark) -> dict[str, dict[str, object]]:
    return {
        name: {
            "changes": v.changes,
            "current": v.current,
            "foldedLsn": v.folded_lsn,
            "changedLsn": v.changed_lsn,
            **({"stoppedLsn": v.stopped_lsn, "error": v.error} if v.error else {}),
            **({"stoppedAt": v.stopped_at.isoformat()} if v.stopped_at else {}),
            **({"relation": v.relation} if v.relation else {}),
        }
        for name, v in sorted(mark.versions.items())
    }


def _parse_versions(document: Mapping[str, Any]) -> dict[str, TableVersion]:  # Any: what `_versions_document` wrote
    return {name: _version(stored) for name, stored in document.items()}


def _version(stored: Mapping[str, Any]) -> TableVersion:  # Any: one table's entry in the JSON
    at = stored.get("stoppedAt")
    return TableVersion(
        stored["changes"],
        stored["current"],
        stored["foldedLsn"],
        stored.get("stoppedLsn"),
        stored.get("error"),
        datetime.fromisoformat(at) if at else None,
        stored.get("relation"),
        stored.get("changedLsn", 0),
    )
