"""Lists of UUIDs in the binary form that Postgres receives. Most values of a batched statement are such lists."""

import struct
from collections.abc import Sequence
from types import NoneType
from uuid import UUID

UUID_OID, UUID_ARRAY_OID = 2950, 2951
_KINDS = ({UUID}, {UUID, NoneType})
# Dimensions, whether there is a null, the type of the elements; then length and lower bound of the one dimension.
_HEAD = struct.Struct("!iiIii").pack
_LENGTH, _NULL = struct.pack("!i", 16), struct.pack("!i", -1)


def uuid_array(values: Sequence[object]) -> bytes | None:
    """The array, None when `values` holds anything but UUIDs and nulls, or no UUID.

    psycopg writes it as text, looks in each element for characters to quote, and Postgres parses it again.
    """
    kinds = set(map(type, values))
    if kinds not in _KINDS:
        return None
    elements = [_LENGTH + value.bytes if isinstance(value, UUID) else _NULL for value in values]
    return _HEAD(1, NoneType in kinds, UUID_OID, len(elements), 1) + b"".join(elements)
