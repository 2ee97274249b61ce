"""What categories and attributes are called, for whoever shows counts of them: in memory, so that no search waits."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import orjson
from fastapi import Request

from api.catalog.attributes.queries import Labelled, all_labels
from api.catalog.brands.keys import key_of
from api.catalog.queries.categories import CategoryRow, all_categories, named
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.languages import Reader
from api.kernel.logs import get_logger

log = get_logger(__name__)
OLDEST_SECONDS = 1.0
# A large tree takes longer to read, so it is read less often: it takes one part in so many of the time.
SHARE = 20.0


# Equal when they are the same: who has shown something with them need not compare them.
@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """As of one moment: categories by id, and definitions by the key of their name, the highest in the tree first."""

    categories: Mapping[str, CategoryRow]
    labels: Mapping[str, Labelled]
    _above: dict[str, list[str]] = field(default_factory=dict)
    _rows: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    _written: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def above(self, category_id: str) -> list[str]:
        """The ids of a category and of those above it; none for one that is not known."""
        ids = self._above.get(category_id)
        if ids is None:
            ids = self._above[category_id] = []
            row = self.categories.get(category_id)
            while row is not None:
                ids.append(str(row.category_id))
                row = self.categories.get(str(row.parent_category_id))
        return ids

    def row(self, category_id: str, reader: Reader) -> Mapping[str, object]:
        """A known category as it is answered to a reader."""
        shown = self._rows.get((category_id, reader.language))
        if shown is None:
            row = self.categories[category_id]
            name, language = named(row.name, row.names, reader)
            shown = self._rows[category_id, reader.language] = {
                "categoryId": category_id,
                "path": row.path,
                "name": name,
                "nameLanguage": language,
                "level": row.level,
            }
        return shown

    def written(self, category_id: str, reader: Reader) -> bytes:
        """The beginning of the JSON of a row with its `count`, up to that number."""
        begun = self._written.get((category_id, reader.language))
        if begun is None:
            row = orjson.dumps({**self.row(category_id, reader), "count": 0})
            begun = self._written[category_id, reader.language] = row.removesuffix(b"0}")
        return begun


class Names:
    """One per process. Read behind the answers: a search uses what was read last, a second old or, in a large tree, a
    little older."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: Known | None = None
        self._next = float("-inf")
        self._reading: asyncio.Task[Known | None] | None = None

    async def now(self, categories: Mapping[str, int]) -> Known:
        """What is known; waited for when it is nothing yet, or when one of these categories is newer."""
        if self._next < clock.monotonic() and self._reading is None:
            self._reading = asyncio.create_task(self._read())
        known = self._known
        if self._reading is not None and (known is None or not categories.keys() <= known.categories.keys()):
            known = await asyncio.shield(self._reading) or known
        return known or Known({}, {})

    async def _read(self) -> Known | None:
        began = clock.monotonic()
        try:
            async with self._ctx.db.read(may_lag=True) as tx:
                rows = await all_categories(tx)
                labels = await all_labels(tx)
        except Exception as error:  # noqa: BLE001 - whatever it is, names stay as they were and are read again
            log.warning("names of facets could not be read", error=str(error))
            return None
        else:
            by_key: dict[str, Labelled] = {}
            for label in labels:
                by_key.setdefault(key_of(label.name), label)
            categories = {str(row.category_id): row for row in rows}
            known = self._known
            if known is None or (known.categories, known.labels) != (categories, by_key):
                known = self._known = Known(categories, by_key)
            return known
        finally:
            now = clock.monotonic()
            self._next, self._reading = now + max(OLDEST_SECONDS, (now - began) * SHARE), None

    @classmethod
    @asynccontextmanager
    async def running(cls, ctx: Context) -> AsyncIterator["Names"]:
        """Nothing is read after it."""
        names = cls(ctx)
        yield names
        names._next = float("inf")
        if names._reading is not None:
            await names._reading


async def names_of(request: Request) -> Names:
    """The application's names."""
    return cast("Names", request.app.state.search_names)
