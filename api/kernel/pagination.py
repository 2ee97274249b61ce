"""Pagination: `page`/`limit`, and a signed keyset cursor for deep pages."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query

from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.schemas import Wire
from api.kernel.security import Keys

P = TypeVar("P")
R = TypeVar("R")
MAX_LIMIT = 100
# The database reads all rows that an offset skips; deeper pages need the cursor.
MAX_PAGE = 1_000


class Pagination(Wire):
    """`total` is null where counting would cost more than the page;
    `nextCursor` continues exactly after the last row."""

    page: int
    limit: int
    total: int | None
    has_more: bool
    next_cursor: str | None


PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=500, description="`nextCursor` of the page before; wins over `page`")]
PageLimit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@dataclass(frozen=True, slots=True)
class PageParams:
    page: int
    limit: int
    cursor: str | None

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


async def page_params(
    page: PageNumber = 1,
    limit: PageLimit = 20,
    cursor: Cursor = None,
) -> PageParams:
    return PageParams(page=page, limit=limit, cursor=cursor)


Page = Annotated[PageParams, Depends(page_params)]


def encode_cursor(keys: Keys, listing: str, position: Sequence[object]) -> str:
    """Sign the last row's sort values; `listing` names the sort so that a cursor cannot be used with another."""
    data = orjson.dumps([listing, *map(str, position)])
    return base64.urlsafe_b64encode(keys.sign("cursor", data) + data).decode().rstrip("=")


def decode_cursor(keys: Keys, listing: str, cursor: str) -> list[str]:
    """The sort values of a cursor. Raises: ValidationFailed when it was altered, or belongs to another list or sort."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        signature, data = raw[:16], raw[16:]
        if keys.verify("cursor", data, signature):
            name, *position = orjson.loads(data)
            if name == listing:
                return [str(value) for value in position]
    except (binascii.Error, ValueError):
        pass
    message = "use the nextCursor of the same list and sort, unchanged"
    raise ValidationFailed(
        "The cursor is not usable here.", errors=[FieldError(pointer="/query/cursor", message=message)]
    )


def place_of(page: PageParams, keys: Keys, listing: str, read: Callable[[list[str]], P]) -> P | None:
    """The place of the last row of the page before, as `read` makes it of the sort values; None for the first page.
    Raises: ValidationFailed."""
    return None if page.cursor is None else read(decode_cursor(keys, listing, page.cursor))


def page_of(
    page: PageParams,
    keys: Keys,
    listing: str,
    shown: Sequence[R],
    place: Callable[[R], Sequence[object]],
    *,
    more: bool,
    total: int | None = None,
) -> Pagination:
    """What an answer with these rows says of its page. `place`: a row's sort values, as `place_of` reads them; `more`:
    there are rows behind the last one."""
    return pagination(page, keys, listing, total, place(shown[-1]) if more else None)


def by_id(values: list[str]) -> UUID:
    """A place in a list that is sorted by ids."""
    return UUID(values[0])


def by_time(values: list[str]) -> tuple[datetime, UUID]:
    """A place in a list that is sorted by times, and by ids within one."""
    return datetime.fromisoformat(values[0]), UUID(values[1])


def pagination(
    page: PageParams, keys: Keys, listing: str, total: int | None, following: Sequence[object] | None
) -> Pagination:
    """What an answer says of its page. `following`: the last row's sort values when there is another page."""
    cursor = None if following is None else encode_cursor(keys, listing, following)
    return Pagination(page=page.page, limit=page.limit, total=total, has_more=cursor is not None, next_cursor=cursor)
