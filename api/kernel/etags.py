"""Entity tags of products: `"VERSION-DIGEST"`.

If-None-Match compares the whole tag, so that a cached page never hides a change of stock. If-Match compares only the
version, so that a sale between a seller's read and save is no conflict.
"""

import hashlib
import re

_TAG = re.compile(r'(?:W/)?"(\d{1,18})-[0-9a-f]{16}"')


def etag_of(version: int, body: bytes) -> str:
    """The tag of a representation."""
    return f'"{version}-{hashlib.sha256(body).hexdigest()[:16]}"'


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names `etag` (weak comparison, RFC 9110 section 13.1.2)."""
    if header is None:
        return False
    return any(candidate.strip().removeprefix("W/") in {etag, "*"} for candidate in header.split(","))


def expected_version(header: str | None) -> int | None:
    """The version that an If-Match header asks for; None without one or with `*`;
    -1, which never matches, for anything else."""
    if header is None or header.strip() == "*":
        return None
    found = _TAG.fullmatch(header.strip())
    return int(found.group(1)) if found else -1
