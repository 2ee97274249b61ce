"""The hot log: the newest batches, one durable append each, in front of the Delta tables.

A segment file begins with the watermark up to which Delta holds everything; every further frame is one batch of whole
transactions of all tables above it. When the rows have been folded into Delta, a new segment begins at the new
watermark, so a reader needs the newest segment only.

A frame: header (magic, sizes, CRC-32, LSN of the frame before, end LSN, times), a JSON index, then Arrow record batches
without their schema. A segment holds each table's schema once, in the frame that uses it first. Everything is padded to
8 bytes, so that Arrow reads the mapped file in place.
"""

import json
import os
import struct
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse.environment import Environment
from warehouse.lake.errors import HotLogDamaged
from warehouse.lake.lsn import format_lsn

MAGIC = b"SKHL"
_HEAD = struct.Struct("<4sIIIQQqq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CRC_AT = 8
_COVERED = 12  # the checksum covers everything from here on
_KEPT_SEGMENTS = 8

_REMEDY = "; move the file away and start cdc again: it then takes a new snapshot"

Place = tuple[int, int]


@dataclass(frozen=True)
class Head:
    """The batch begins after `previous` and ends at `lsn`; its last transaction was committed at `commit_ts`."""

    previous: int
    lsn: int
    commit_ts: datetime
    created_at: datetime


@dataclass(frozen=True)
class Part:
    """One table's rows in a frame: their number, and where their record batch and its schema lie in the file."""

    rows: int
    batch: Place
    schema: Place


@dataclass(frozen=True)
class Frame:
    """One batch. Without parts it is a position: nothing of the published tables changed up to `lsn`."""

    head: Head
    parts: Mapping[str, Part]


@dataclass
class Segment:
    """A segment as far as it was read. `mark` is the watermark in Delta that it begins with."""

    path: Path
    identity: tuple[int, int, bytes]
    mark: Mapping[str, Any]  # Any: the JSON document that `watermark` writes and parses
    lsn: int
    frames: list[Frame] = field(default_factory=list)
    end: int = 0

    def read(self, table: str, upto: int, above: int = -1) -> list[pa.RecordBatch]:
        """The table's record batches of the frames that begin below `upto` and end above `above`; the first may begin
        below it, the last may reach above `upto`."""
        wanted = [
            frame.parts[table]
            for frame in self.frames
            if frame.head.previous < upto and frame.head.lsn > above and table in frame.parts
        ]
        if not wanted:
            return []
        with pa.memory_map(str(self.path)) as file:
            whole = file.read_buffer()
        schemas: dict[Place, pa.Schema] = {}
        batches = []
        for part in wanted:
            if part.schema not in schemas:
                schemas[part.schema] = pa.ipc.read_schema(whole.slice(*part.schema))
            batches.append(pa.ipc.read_record_batch(whole.slice(*part.batch), schemas[part.schema]))
        return batches


def hot_folder(lake: str | os.PathLike[str]) -> Path:
    """Where the hot log of this lake lies: in the lake, or in SOUK_HOME when the lake is on an object store."""
    root = str(lake)
    return Environment().home / "hot" if "://" in root else Path(root).absolute() / "hot"


def segment_path(folder: Path, lsn: int) -> Path:
    return folder / f"{lsn:016x}.log"


def segment_paths(folder: Path) -> list[Path]:
    """All segments, oldest first."""
    return sorted(folder.glob("*.log"))


_known: dict[Path, Segment] = {}
_reading = threading.Lock()


def open_segment(path: Path) -> Segment:
    """The segment with the frames that are complete now; raises FileNotFoundError, HotLogDamaged.

    What was read before is kept per process, so that polling reads only new frames.
    """
    with _reading, path.open("rb") as file:
        stat = os.fstat(file.fileno())
        # The first frame's checksum too: a segment may be begun anew at its LSN, and the number of a removed file is
        # soon that of another one.
        identity = (stat.st_ino, stat.st_dev, file.read(_HEAD.size))
        known = _known.get(path)
        if known is None or known.identity != identity or stat.st_size < known.end:
            file.seek(0)
            known = _begin(path, identity, file.read())
            while len(_known) >= _KEPT_SEGMENTS:
                _known.pop(next(iter(_known)))
            _known[path] = known
        elif stat.st_size > known.end:
            file.seek(known.end)
            _extend(known, file.read())
        # A copy: another thread may extend the list while this one reads it.
        return Segment(known.path, known.identity, known.mark, known.lsn, list(known.frames), known.end)


def newest_segment(lake: str | os.PathLike[str]) -> Segment | None:
    """The segment that holds the newest batches; None for a lake without a hot log, or with that of another lake."""
    folder = hot_folder(lake)
    while paths := segment_paths(folder):
        try:
            segment = open_segment(paths[-1])
        except FileNotFoundError:  # folded between the listing and the opening
            continue
        return segment if segment.mark.get("lakeUri") in (None, lake_uri(lake)) else None
    return None


def lake_uri(lake: str | os.PathLike[str]) -> str | None:
    """The address of a lake on an object store; None for a folder, which may be moved and has its hot log in it."""
    return str(lake).rstrip("/") if "://" in str(lake) else None


def fit(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in the columns of `schema`; a column that they do not have is null."""
    have = set(rows.column_names)
    columns = [rows[f.name] if f.name in have else pa.nulls(rows.num_rows, f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def padded(data: bytes | memoryview) -> bytes:
    return bytes(data) + bytes(-len(data) % 8)


def encode_frame(head: Head, index: Mapping[str, object], blobs: bytes = b"") -> bytes:
    """The bytes of one frame. Places in `index` count from the frame's own body, which begins after the index."""
    text = padded(json.dumps(index, separators=(",", ":")).encode())
    sizes = (len(text) + len(blobs), 0, len(text))
    times = (_micros(head.commit_ts), _micros(head.created_at))
    packed = _HEAD.pack(MAGIC, *sizes, head.previous, head.lsn, *times)
    crc = zlib.crc32(blobs, zlib.crc32(text, zlib.crc32(packed[_COVERED:])))
    return b"".join((packed[:_CRC_AT], struct.pack("<I", crc), packed[_COVERED:], text, blobs))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _begin(path: Path, identity: tuple[int, int, bytes], data: bytes) -> Segment:
    first = _frame_at(data, 0)
    if first is None:
        raise HotLogDamaged(f"{path}, offset 0: the segment does not begin with a watermark{_REMEDY}")
    head, index, _, size = first
    segment = Segment(path, identity, index["mark"], head.lsn, end=size)
    _extend(segment, data[size:])
    return segment


def _extend(segment: Segment, data: bytes) -> None:
    """Take in the complete frames of `data`, which follows what was read before. A torn last frame is left alone."""
    at = 0
    schemas = {name: part.schema for frame in segment.frames for name, part in frame.parts.items()}
    while at < len(data):
        found = _frame_at(data, at)
        if found is None:
            if _later_frame(data, at + 1):
                raise HotLogDamaged(
                    f"{segment.path}, offset {segment.end + at}: a frame is damaged, with complete frames after"
                    f" it{_REMEDY}"
                )
            break
        head, index, body, size = found
        last = segment.frames[-1].head.lsn if segment.frames else segment.lsn
        if head.previous != last:
            raise HotLogDamaged(
                f"{segment.path}, offset {segment.end + at}: a frame that follows {format_lsn(head.previous)} comes"
                f" after {format_lsn(last)}{_REMEDY}"
            )
        start = segment.end + at + body
        for name, (offset, length) in index.get("schemas", {}).items():
            schemas[name] = (start + offset, length)
        parts = {
            name: Part(rows, (start + offset, length), schemas[name]) for name, rows, offset, length in index["tables"]
        }
        segment.frames.append(Frame(head, parts))
        at += size
    segment.end += at


def _frame_at(data: bytes, at: int) -> tuple[Head, dict[str, Any], int, int] | None:  # Any: a JSON document
    """Header, index, offset of the body after the index, and size of the frame at this offset; None when there is no
    whole frame."""
    if len(data) - at < _HEAD.size:
        return None
    magic, size, crc, text, previous, lsn, commit_ts, created_at = _HEAD.unpack_from(data, at)
    end = at + _HEAD.size + size
    if magic != MAGIC or end > len(data) or text > size:
        return None
    if zlib.crc32(memoryview(data)[at + _COVERED : end]) != crc:
        return None
    index = json.loads(data[at + _HEAD.size : at + _HEAD.size + text].rstrip(b"\0"))
    head = Head(previous, lsn, _EPOCH + commit_ts * _MICROSECOND, _EPOCH + created_at * _MICROSECOND)
    return head, index, _HEAD.size + text, _HEAD.size + size


def _later_frame(data: bytes, at: int) -> bool:
    while (at := data.find(MAGIC, at)) >= 0:
        if _frame_at(data, at) is not None:
            return True
        at += 1
    return False


def pack_tables(
    batches: Sequence[tuple[str, pa.RecordBatch]], known: Mapping[str, pa.Schema]
) -> tuple[dict[str, object], bytes, dict[str, pa.Schema]]:
    """Index entries and bytes of these record batches, and the schemas that the segment did not hold yet."""
    blobs: list[bytes] = []
    at = 0

    def add(data: pa.Buffer) -> Place:
        nonlocal at
        blob = padded(memoryview(data))
        place = (at, len(blob))
        blobs.append(blob)
        at += len(blob)
        return place

    new = {name: batch.schema for name, batch in batches if known.get(name) != batch.schema}
    schemas = {name: add(schema.serialize()) for name, schema in new.items()}
    tables = [(name, batch.num_rows, *add(batch.serialize())) for name, batch in batches]
    index: dict[str, object] = {"tables": tables}
    if schemas:
        index["schemas"] = schemas
    return index, b"".join(blobs), new
