"""Ids in the paths of routes."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import Path

from api.kernel.errors import Problem
from api.kernel.ids import parse_id

LONGEST_ID = 100


def id_in_path(alias: str, missing: Callable[[], Problem]) -> Callable[[str], Awaitable[UUID]]:
    """The dependency that reads the id `alias` of a path. A malformed id is answered as an unknown one, with `missing`
    (404), not 422."""

    async def known(text: Annotated[str, Path(alias=alias, max_length=LONGEST_ID)]) -> UUID:
        found = parse_id(text)
        if found is None:
            raise missing()
        return found

    return known
