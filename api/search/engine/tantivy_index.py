"""Search in process with Tantivy: BM25 times popularity, exact facets, and readers that
reopen the current generation automatically."""

import asyncio
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import tantivy

from api.catalog.facets import PRICE_EDGES, RATING_STEPS
from api.kernel import clock
from api.kernel.logs import get_logger
from api.search import documents
from api.search.engine import matching
from api.search.engine.index import Found, Hit, SearchQuery
from api.search.engine.store import IndexStore
from api.search.errors import IndexNotReady
from api.search.suggest import Completions

log = get_logger(__name__)

LOOK_SECONDS = 0.2
COMPLETIONS_SECONDS = 10.0
MAX_COMPLETED_PRODUCTS = 50_000
MAX_BRANDS = 50
_ORDERS = {
    "price_asc": ("price_cents", tantivy.Order.Asc),
    "price_desc": ("price_cents", tantivy.Order.Desc),
    "rating": ("rating_hundredths", tantivy.Order.Desc),
    "newest": ("age", tantivy.Order.Desc),
    "popularity": ("popularity", tantivy.Order.Desc),
}


@dataclass(frozen=True, slots=True)
class _Reader:
    """An open generation and the time of the commit it shows."""

    folder: Path
    index: tantivy.Index
    committed: int


class TantivyIndex:
    """The SearchIndex of one process.

    On a request, at most five times a second, it checks for a newer commit or generation.
    """

    def __init__(self, store: IndexStore) -> None:
        self._store = store
        self._reader: _Reader | None = None
        self._looked = 0.0
        self._completions = Completions(())
        self._completions_of: tuple[Path, int] | None = None
        self._completions_made = 0.0
        self._completing = asyncio.Lock()

    async def search(self, query: SearchQuery) -> Found:
        """See `SearchIndex`. Runs in a thread, because a broad query on a large catalog takes milliseconds."""
        return await asyncio.to_thread(self._search, query)

    async def complete(self, text: str, limit: int) -> list[str]:
        """See `SearchIndex`. The phrases are about ten seconds old at most."""
        reader = self._current()
        stale = self._completions_of != (reader.folder, reader.committed)
        if (
            stale
            and not self._completing.locked()
            and self._completions_made + COMPLETIONS_SECONDS <= clock.monotonic()
        ):
            async with self._completing:
                self._completions = await asyncio.to_thread(_completions, reader)
                self._completions_of, self._completions_made = (reader.folder, reader.committed), clock.monotonic()
        return self._completions.complete(text, limit)

    def _current(self) -> _Reader:
        reader = self._reader
        if reader is not None and clock.monotonic() < self._looked + LOOK_SECONDS:
            return reader
        self._looked = clock.monotonic()
        folder = self._store.current() or (reader.folder if reader else None)
        if folder is None:
            raise IndexNotReady("The search index is being built; browsing by category works meanwhile.")
        try:
            committed = (folder / "meta.json").stat().st_mtime_ns
            if reader is None or reader.folder != folder:
                reader = _Reader(folder, open_index(folder), committed)
            elif reader.committed != committed:
                reader.index.reload()
                reader = replace(reader, committed=committed)
        except (OSError, ValueError) as error:
            # The generation was replaced during the check. The open one stays
            # readable, and the next check finds the new one.
            log.warning("the search index could not be reopened", error=str(error))
            if reader is None:
                raise IndexNotReady("The search index is being exchanged.") from error
        self._reader = reader
        return reader

    def _search(self, query: SearchQuery) -> Found:
        index = self._current().index
        searcher = index.searcher()
        text, corrected = matching.text_query(index, searcher, query.text)
        wanted = matching.with_filters(index.schema, text, query.filters)
        if query.sort == "relevance":
            result = searcher.search(wanted, query.limit, offset=query.offset, weight_by_field="popularity")
        else:
            field, order = _ORDERS[query.sort]
            result = searcher.search(wanted, query.limit, offset=query.offset, order_by_field=field, order=order)
        return Found(
            hits=[_hit(searcher, score, address) for score, address in result.hits],
            total=result.count,  # type: ignore[attr-defined]  # exists, but is missing in the wheel's stub
            brands=_brands(searcher, matching.with_filters(index.schema, text, replace(query.filters, brands=[]))),
            price_ranges=_price_ranges(
                searcher, matching.with_filters(index.schema, text, replace(query.filters, prices=[]))
            ),
            ratings=_ratings(searcher, matching.with_filters(index.schema, text, replace(query.filters, ratings=[]))),
            corrected=corrected,
        )


def open_index(folder: Path) -> tantivy.Index:
    """An existing generation with our analyser. Raises: ValueError when it is not an index."""
    index = tantivy.Index.open(str(folder))
    index.register_tokenizer(documents.ANALYSER, documents.analyser())
    return index


def _hit(searcher: tantivy.Searcher, score: object, address: tantivy.DocAddress) -> Hit:
    # With another sort the engine returns the sort value in the score's place.
    return documents.hit(searcher.doc(address), score if isinstance(score, float) else 0.0)


def _brands(searcher: tantivy.Searcher, query: tantivy.Query) -> list[tuple[str, int]]:
    """Most frequent first, then by name."""
    found = searcher.aggregate(query, {"brands": {"terms": {"field": "brand", "size": MAX_BRANDS}}})
    pairs = [(bucket["key"], bucket["doc_count"]) for bucket in found["brands"]["buckets"]]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def _price_ranges(searcher: tantivy.Searcher, query: tantivy.Query) -> list[tuple[int, int]]:
    edges = [documents.hundredths(edge) for edge in PRICE_EDGES]
    ranges = [{"to": edges[0]}, *({"from": low, "to": high} for low, high in pairwise(edges)), {"from": edges[-1]}]
    found = searcher.aggregate(query, {"prices": {"range": {"field": "price_cents", "ranges": ranges}}})
    by_start = {int(bucket.get("from", 0)): bucket["doc_count"] for bucket in found["prices"]["buckets"]}
    counts = [(bucket, by_start.get(start, 0)) for bucket, start in enumerate([0, *edges])]
    return [(bucket, count) for bucket, count in counts if count]


def _ratings(searcher: tantivy.Searcher, query: tantivy.Query) -> list[tuple[int, int]]:
    """Counted between steps and added up: a range aggregation puts a document into one range only."""
    steps = sorted(RATING_STEPS)
    ranges: list[dict[str, int]] = [{"from": low * 100, "to": high * 100} for low, high in pairwise(steps)]
    found = searcher.aggregate(
        query, {"ratings": {"range": {"field": "rating_hundredths", "ranges": [*ranges, {"from": steps[-1] * 100}]}}}
    )
    by_start = {int(bucket.get("from", 0)): bucket["doc_count"] for bucket in found["ratings"]["buckets"]}
    return [(step, sum(by_start.get(other * 100, 0) for other in steps if other >= step)) for step in RATING_STEPS]


def _completions(reader: _Reader) -> Completions:
    """Titles by popularity, brands above the titles they stand for."""
    searcher = reader.index.searcher()
    result = searcher.search(
        tantivy.Query.all_query(), MAX_COMPLETED_PRODUCTS, order_by_field="popularity", count=False
    )
    phrases: list[tuple[str, float]] = []
    brands: dict[str, float] = {}
    for weight, address in result.hits:
        found = documents.hit(searcher.doc(address), 0.0)
        phrases.append((found.title, float(weight)))
        if found.brand:
            brands[found.brand] = brands.get(found.brand, 0.0) + float(weight)
    return Completions([*phrases, *brands.items()])
