"""Lists as Postgres receives them. Most values of a batched statement are lists of a few elements.

psycopg asks in Python for the type of each element and looks in each for characters to quote. Here a list is written in
one go, and said to be of the type that psycopg says it is of: Postgres reads the same values. UUIDs are sent in binary,
because nothing costs as much as their text; of the other kinds C writes the text faster than Python the binary form.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

from psycopg.pq import Format

# What is sent, its type, and its format.
Array = tuple[bytes, int, Format]
_Write = Callable[[Sequence[Any], bool], Array | None]  # Any: values of one kind; whether there are nulls between them

UUID_OID, UUID_ARRAY_OID = 2950, 2951
# A list of texts, or of nulls alone, is of the type that the statement needs there: of a cast, a column, a function.
UNKNOWN_OID = 0
_BOOL_ARRAY, _BYTEA_ARRAY, _DATE_ARRAY, _NUMERIC_ARRAY = 1000, 1001, 1182, 1231
_INT2_ARRAY, _INT4_ARRAY, _INT8_ARRAY = 1005, 1007, 1016
# Dimensions, whether there is a null, the type of the elements; then length and lower bound of the one dimension.
_HEAD = struct.Struct("!iiIii").pack
_LENGTH, _NULL = struct.pack("!i", 16), struct.pack("!i", -1)


def array(values: Sequence[object]) -> Array | None:
    """The list, None when it is for psycopg: other kinds, several kinds, lists of lists."""
    if len(values) == 1:
        kind = type(values[0])
        nulls = False
    else:
        kinds = set(map(type, values))
        nulls = NoneType in kinds
        if nulls or not kinds:
            kinds.discard(NoneType)
            kinds = kinds or {NoneType}
        if len(kinds) > 1:
            return None
        kind = kinds.pop()
    write = _WRITERS.get(kind)
    return None if write is None else write(values, nulls)


def _uuids(values: Sequence[UUID | None], nulls: bool) -> Array:
    elements = b"".join([_NULL if value is None else _LENGTH + value.bytes for value in values])
    return _HEAD(1, nulls, UUID_OID, len(values), 1) + elements, UUID_ARRAY_OID, Format.BINARY


def _ints(values: Sequence[int | None], nulls: bool) -> Array | None:
    """Of the smallest type that holds every number."""
    numbers = _without_nulls(values, nulls)
    least, most = min(numbers), max(numbers)
    if least >= -(2**15) and most < 2**15:
        oid = _INT2_ARRAY
    elif least >= -(2**31) and most < 2**31:
        oid = _INT4_ARRAY
    elif least >= -(2**63) and most < 2**63:
        oid = _INT8_ARRAY
    else:
        return None
    return _text(values, nulls, str), oid, Format.TEXT


def _decimals(values: Sequence[Decimal | None], nulls: bool) -> Array | None:
    if not all(map(Decimal.is_finite, _without_nulls(values, nulls))):
        return None
    return _text(values, nulls, str), _NUMERIC_ARRAY, Format.TEXT


def _texts(values: Sequence[str | None], nulls: bool) -> Array | None:
    written = _text(values, nulls, _quoted)
    return None if b"\0" in written else (written, UNKNOWN_OID, Format.TEXT)


def _of(write: Callable[[Any], str], oid: int) -> _Write:
    return lambda values, nulls: (_text(values, nulls, write), oid, Format.TEXT)


def _without_nulls(values: Sequence[Any], nulls: bool) -> Sequence[Any]:
    return [value for value in values if value is not None] if nulls else values


def _text(values: Sequence[Any], nulls: bool, write: Callable[[Any], str]) -> bytes:
    written = ["NULL" if value is None else write(value) for value in values] if nulls else map(write, values)
    return f"{{{','.join(written)}}}".encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WRITERS: dict[type, _Write] = {
    UUID: _uuids,
    str: _texts,
    int: _ints,
    Decimal: _decimals,
    bool: _of({True: "t", False: "f"}.__getitem__, _BOOL_ARRAY),
    date: _of(str, _DATE_ARRAY),
    bytes: _of(lambda value: f'"\\\\x{value.hex()}"', _BYTEA_ARRAY),
    NoneType: _of(lambda _: "NULL", UNKNOWN_OID),
}
