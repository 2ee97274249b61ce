"""Bodies of licence keys."""

from typing import Annotated

from pydantic import Field

from api.kernel.schemas import Wire, WireId
from api.kernel.texts import OneLine

MOST_KEYS = 1_000


class AddKeys(Wire):
    """Keys that nobody has yet. One that the variant has already changes nothing."""

    keys: Annotated[
        list[Annotated[OneLine, Field(min_length=1, max_length=500, examples=["AAAA-BBBB-CCCC"])]],
        Field(min_length=1, max_length=MOST_KEYS),
    ]


class KeyPool(Wire):
    """How many keys of a variant are `delivered`, and how many are not: those that can be sold (`available`), and those
    of orders that are not paid yet."""

    variant_id: WireId
    available: int
    undelivered: int
    delivered: int


class AddedKeys(KeyPool):
    """`added`: those of the request that are new."""

    added: int
