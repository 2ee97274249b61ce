"""Messages of the replication protocol for two of the lab's tables, as Postgres sends them."""

import struct

LINES, PAIRS = 7, 8
# (name, key, type oid, typmod) of the lab's tables as Postgres describes them
COLUMNS = {
    LINES: ("lines", "d", [("line_id", 1, 20, -1), ("thing_id", 0, 2950, -1), ("quantity", 0, 23, -1),
                           ("created_at", 0, 1184, -1)]),
    PAIRS: ("pairs", "d", [("a", 1, 2950, -1), ("b", 1, 23, -1), ("note", 0, 25, -1),
                           ("amount", 0, 1700, ((14 << 16) | 4) + 4)]),
}  # fmt: skip


def relation(
    oid: int, *, more: tuple[tuple[str, int, int, int], ...] = (), name: str = "", schema: str = "public"
) -> bytes:
    table, identity, columns = COLUMNS[oid]
    columns = [*columns, *more]
    head = (
        b"R" + struct.pack(">I", oid) + schema.encode() + b"\0" + (name or table).encode() + b"\0" + identity.encode()
    )
    body = b"".join(
        bytes([key]) + column.encode() + b"\0" + struct.pack(">Ii", kind, typmod)
        for column, key, kind, typmod in columns
    )
    return head + struct.pack(">H", len(columns)) + body


def begin(lsn: int) -> bytes:
    return b"B" + struct.pack(">QqI", lsn, 0, 1)


def commit(lsn: int) -> bytes:
    return b"C" + struct.pack(">BQQq", 0, lsn - 1, lsn, 0)


def line(number: int) -> bytes:
    values = [str(number), None, "1", "2026-01-01 00:00:00+00"]
    cells = [b"n" if v is None else b"t" + struct.pack(">I", len(v)) + v.encode() for v in values]
    return b"I" + struct.pack(">I", LINES) + b"N" + struct.pack(">H", len(values)) + b"".join(cells)


def pair(note: str = "x") -> bytes:
    values = ["00000000-0000-0000-0000-000000000001", "1", note, "1.0000"]
    cells = [b"t" + struct.pack(">I", len(v)) + v.encode() for v in values]
    return b"I" + struct.pack(">I", PAIRS) + b"N" + struct.pack(">H", len(values)) + b"".join(cells)
