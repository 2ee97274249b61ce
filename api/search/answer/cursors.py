"""Cursors of search results: where a page ended, signed, for the search that it is of and no other."""

import hashlib

import orjson

from api.kernel.pagination import decode_cursor, encode_cursor
from api.kernel.security import Keys
from api.search.engine.index import After


def listing_of(sort: str, *asked: str | None) -> str:
    """The name of one search: what decides which results there are and in which order."""
    return f"search:{sort}:{hashlib.blake2b(orjson.dumps(asked), digest_size=8).hexdigest()}"


def read(keys: Keys, listing: str, cursor: str | None) -> After | None:
    """None without a cursor. Raises: ValidationFailed when it is not of this search."""
    if cursor is None:
        return None
    value, tie, passed = decode_cursor(keys, listing, cursor)
    return After(float(value), int(tie), int(passed))


def written(keys: Keys, listing: str, last: After | None) -> str | None:
    """The `nextCursor`; None when nothing follows."""
    return None if last is None else encode_cursor(keys, listing, (last.value, last.tie, last.passed))
