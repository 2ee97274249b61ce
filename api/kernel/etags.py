"""Entity tags: `"VERSION-DIGEST"`, of products `"VERSION.STOCK-DIGEST"`.

If-None-Match compares the whole tag, so that a cached page never hides a change of stock. If-Match compares the
version, so that a sale between a seller's read and save is no conflict; a save that sets stock compares `STOCK` as
well, which says how many units there were of each variant.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

_TAG = re.compile(r'(?:W/)?"(\d{1,18})(?:\.([0-9a-f]{12}))?-[0-9a-f]{16}"')


@dataclass(frozen=True, slots=True)
class Expected:
    """What an If-Match header asks for. `version` -1 never matches; `stock` None matches no stock."""

    version: int
    stock: str | None = None


def etag_of(version: int, body: bytes, stock: str | None = None) -> str:
    """The tag of a representation."""
    mark = "" if stock is None else f".{stock}"
    return f'"{version}{mark}-{hashlib.sha256(body).hexdigest()[:16]}"'


def stock_mark(units: Iterable[tuple[UUID, int]]) -> str:
    """Tells (variant, units) from any others; their order does not matter."""
    told = b"".join(variant.bytes + count.to_bytes(8) for variant, count in sorted(units))
    return hashlib.sha256(told).hexdigest()[:12]


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names `etag` (weak comparison, RFC 9110 section 13.1.2)."""
    if header is None:
        return False
    return any(candidate.strip().removeprefix("W/") in {etag, "*"} for candidate in header.split(","))


def expected(header: str | None) -> Expected | None:
    """What an If-Match header asks for; None without one or with `*`."""
    if header is None or header.strip() == "*":
        return None
    found = _TAG.fullmatch(header.strip())
    return Expected(int(found.group(1)), found.group(2)) if found else Expected(-1)


def expected_version(header: str | None) -> int | None:
    """The version that an If-Match header asks for; None for any, -1 for none."""
    asked = expected(header)
    return None if asked is None else asked.version
