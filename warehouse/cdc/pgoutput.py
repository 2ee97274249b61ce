"""The pgoutput protocol, version 1: every message that is not a row. Rows are decoded by column in `columns`.

Source of the layouts: PostgreSQL documentation, "Logical Replication Message Formats". Integers are big endian, strings
end in NUL.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

INSERT, UPDATE, DELETE = ord("I"), ord("U"), ord("D")
ROW_KINDS = frozenset((INSERT, UPDATE, DELETE))
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_MICROS = int(_EPOCH.timestamp()) * 1_000_000
_BEGUN = struct.Struct(">xQq4x").unpack
_COMMITTED = struct.Struct(">xx8xQ8x").unpack


class ProtocolError(ValueError):
    """Bytes that no Postgres sends."""


@dataclass(frozen=True)
class Begin:
    """`final_lsn` is where the commit record starts."""

    final_lsn: int
    commit_ts: datetime
    xid: int


@dataclass(frozen=True)
class Commit:
    """`end_lsn` is just after the commit record: a position at or after it includes this transaction."""

    commit_lsn: int
    end_lsn: int
    commit_ts: datetime


@dataclass(frozen=True)
class RelationColumn:
    """One column as Postgres sends it; `oid` and `typmod` are its type."""

    name: str
    key: bool
    oid: int
    typmod: int


@dataclass(frozen=True)
class Relation:
    """What the following rows of this oid look like; sent again whenever it may have changed."""

    oid: int
    namespace: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Truncate:
    """These relations were emptied."""

    oids: tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """From `pg_logical_emit_message`."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


@dataclass(frozen=True)
class Origin:
    """The transaction was replayed from another server."""

    lsn: int
    name: str


@dataclass(frozen=True)
class TypeName:
    """Name of a type that is not built in."""

    oid: int
    namespace: str
    name: str


Control = Begin | Commit | Relation | Truncate | Message | Origin | TypeName


def timestamp(micros: int) -> datetime:
    """Microseconds since 2000-01-01 UTC, as Postgres counts."""
    return _EPOCH + timedelta(microseconds=micros)


def _text(payload: bytes, at: int) -> tuple[str, int]:
    end = payload.index(b"\0", at)
    return payload[at:end].decode(), end + 1


def _relation(payload: bytes) -> Relation:
    (oid,) = struct.unpack_from(">I", payload, 1)
    namespace, at = _text(payload, 5)
    name, at = _text(payload, at)
    identity = chr(payload[at])
    (count,) = struct.unpack_from(">H", payload, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        key = payload[at] == 1
        column, at = _text(payload, at + 1)
        kind, typmod = struct.unpack_from(">Ii", payload, at)
        at += 8
        columns.append(RelationColumn(column, key, kind, typmod))
    return Relation(oid, namespace or "pg_catalog", name, identity, tuple(columns))


def _message(payload: bytes) -> Message:
    flags, lsn = struct.unpack_from(">BQ", payload, 1)
    prefix, at = _text(payload, 10)
    (length,) = struct.unpack_from(">I", payload, at)
    content = payload[at + 4 : at + 4 + length]
    if len(content) != length:
        raise ProtocolError("a message is shorter than it says")
    return Message(bool(flags & 1), lsn, prefix, content)


def begun(payload: bytes) -> tuple[int, int]:
    """`final_lsn` and the commit's time, in microseconds since 1970, of a Begin: `parse` without its objects."""
    try:
        lsn, micros = _BEGUN(payload)
    except struct.error as error:
        raise ProtocolError(f"message {payload[:1]!r} is damaged: {error}") from error
    return lsn, micros + _EPOCH_MICROS


def committed(payload: bytes) -> int:
    """`end_lsn` of a Commit: `parse` without its objects."""
    try:
        return int(_COMMITTED(payload)[0])
    except struct.error as error:
        raise ProtocolError(f"message {payload[:1]!r} is damaged: {error}") from error


def parse(payload: bytes) -> Control:
    """One non-row message. Raises ProtocolError on anything else, truncated bytes included."""
    try:
        return _parse(payload)
    except ProtocolError:
        raise
    except (struct.error, IndexError, OverflowError, ValueError) as error:
        raise ProtocolError(f"message {payload[:1]!r} is damaged: {error}") from error


def _parse(payload: bytes) -> Control:
    match payload[:1]:
        case b"B":
            lsn, micros, xid = struct.unpack_from(">QqI", payload, 1)
            return Begin(lsn, timestamp(micros), xid)
        case b"C":
            _, lsn, end, micros = struct.unpack_from(">BQQq", payload, 1)
            return Commit(lsn, end, timestamp(micros))
        case b"R":
            return _relation(payload)
        case b"T":
            count, _ = struct.unpack_from(">IB", payload, 1)
            return Truncate(struct.unpack_from(f">{count}I", payload, 6))
        case b"M":
            return _message(payload)
        case b"O":
            (lsn,) = struct.unpack_from(">Q", payload, 1)
            return Origin(lsn, _text(payload, 9)[0])
        case b"Y":
            (oid,) = struct.unpack_from(">I", payload, 1)
            namespace, at = _text(payload, 5)
            return TypeName(oid, namespace, _text(payload, at)[0])
        case kind:
            raise ProtocolError(f"unknown message {kind!r}")
