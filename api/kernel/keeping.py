"""What never ends and shows a picture, such as an order's line: a noun's `keepers.py` says which pictures it shows.

Nouns that may stop showing a picture say so themselves (`media.commands.show`).
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from api.kernel.db import ReadTx


@dataclass(frozen=True, slots=True)
class Unshown:
    """A picture that its owners show no longer: its name, and the ids of who once did."""

    name: str
    owners: Sequence[UUID]


# The names of those that the noun goes on to show.
Keeper = Callable[[ReadTx, Sequence[Unshown]], Awaitable[Collection[str]]]
