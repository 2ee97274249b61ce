"""What shoppers ask for most, where the shop knows it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from api.kernel.context import Context


@dataclass(frozen=True, slots=True)
class FrequentQuery:
    """A query that shoppers sent `count` times and were content with. `language`: of its readers, None for all."""

    text: str
    count: int
    language: str | None = None


# Reads all that may be suggested now; asked every few minutes.
QuerySource = Callable[[Context], Awaitable[Sequence[FrequentQuery]]]


async def no_queries(_ctx: Context) -> Sequence[FrequentQuery]:
    """Of a shop that keeps none."""
    return ()
