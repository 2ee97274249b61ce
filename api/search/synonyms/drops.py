"""A change of what is accepted puts the table of every process out of date."""

from collections.abc import Collection, Sequence

from api.kernel.db import ReadTx
from api.kernel.outbox import Drop, Pending
from api.search.synonyms.kept import SYNONYMS


async def _synonyms(_: ReadTx, events: Sequence[Pending]) -> Collection[str]:
    return {SYNONYMS} if any(event.aggregate_type == "search_synonym" for event in events) else set()


DROPS: tuple[Drop, ...] = (_synonyms,)
