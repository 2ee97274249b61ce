"""What the shop and the process that makes pictures send each other: frames of a JSON head and the bytes it counts.

The child's answer is read with care: hostile content may speak through it.
"""

import struct
from collections.abc import Mapping
from typing import Any

import orjson

_LENGTHS = struct.Struct(">II")
HEAD = _LENGTHS.size
MOST_HEAD, MOST_BODY = 64 * 1024, 64 * 1024 * 1024


def frame(head: Mapping[str, Any], body: bytes = b"") -> bytes:  # Any: JSON
    written = orjson.dumps(head)
    return _LENGTHS.pack(len(written), len(body)) + written + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Bytes of the head and of the body that follow the prefix. Raises: ValueError when either is too long."""
    head, body = _LENGTHS.unpack(prefix)
    if head > MOST_HEAD or body > MOST_BODY:
        raise ValueError("a frame that is too long")
    return head, body
