"""Search in process with Tantivy: BM25 times popularity, exact facets, and readers that
reopen the current generation automatically."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tantivy
from tantivy import Query

from api.catalog.facets import RATING_STEPS
from api.catalog.queries.counting import Counts
from api.catalog.queries.listing import ProductQuery
from api.kernel import clock
from api.kernel.logs import get_logger
from api.search import documents
from api.search.engine import facets, matching, paging
from api.search.engine.asking import Asked, Asking
from api.search.engine.explaining import explained
from api.search.engine.index import Found, SearchQuery
from api.search.engine.reader import Reader
from api.search.engine.store import IndexStore
from api.search.engine.synonyms import Synonyms, SynonymTable
from api.search.errors import IndexNotReady
from api.search.suggestions.reader import Suggestions
from api.search.text import read
from api.search.texts import NOT_SEARCHED, SURFACE, no_words, surface_words

log = get_logger(__name__)

LOOK_SECONDS = 0.2
MAX_COUNTED = 10_000


class TantivyIndex:
    """The SearchIndex of one process.

    On a request, at most five times a second, it checks for a newer commit or generation; for counts of a list always,
    because the list may be asked for because of the newest commit.
    """

    def __init__(self, store: IndexStore, synonyms: Synonyms | None = None) -> None:
        self._store, self._synonyms = store, SynonymTable() if synonyms is None else synonyms
        self._reader: Reader | None = None
        self._looked = 0.0
        # By the language of the reader.
        self._asking: dict[str | None, Asking] = {}
        self._pointed: tuple[int, int] | None = None

    async def search(self, query: SearchQuery) -> Found:
        """See `SearchIndex`. In a thread when the index is large, unless few documents have the words: a broad query
        takes milliseconds there."""
        reader = self._current()
        asking = self._asking.get(query.language)
        if asking is None or asking.reader is not reader:
            asking = self._asking[query.language] = Asking.of(reader, query.language, self._synonyms)
        if reader.is_large and not (query.text.strip() and asking.is_narrow(query.text)):
            return await asyncio.to_thread(_search, reader, query, asking)
        return _search(reader, query, asking)

    async def count(self, query: ProductQuery) -> Counts | None:
        """See `ListCounter`. Each scope, and each choice within it, is counted once per commit of the index."""
        try:
            reader = self._current(newest=True)
        except IndexNotReady:
            return None
        query = replace(query, sort="relevance")
        counts = reader.counted.get(query)
        if counts is None:
            counts = (
                await asyncio.to_thread(facets.count, reader, query) if reader.is_large else facets.count(reader, query)
            )
            if len(reader.counted) >= MAX_COUNTED:
                reader.counted.clear()
            reader.counted[query] = counts
        return counts

    async def spellings(self, brands: Sequence[str]) -> tuple[str, ...] | None:
        """See `ListCounter`."""
        try:
            return self._current(newest=True).spellings_of(brands)
        except IndexNotReady:
            return None

    async def brands(self) -> list[tuple[str, int]] | None:
        """See `ListCounter`."""
        try:
            reader = self._current()
        except IndexNotReady:
            return None
        return await asyncio.to_thread(facets.all_brands, reader)

    async def attribute_names(self) -> list[str]:
        """See `KnownAttributes`."""
        try:
            reader = self._current()
        except IndexNotReady:
            return []
        return await asyncio.to_thread(facets.attribute_names, reader)

    async def knows_attribute(self, name: str) -> bool:
        """See `SearchIndex`."""
        searcher = self._current().searcher
        return any(searcher.doc_freq("attribute_names", spelled) for spelled in documents.spellings(name))

    def forms(self, text: str, language: str | None = None) -> frozenset[str]:
        """See `SearchIndex`."""
        stems = matching.tongue(self._store.languages, language).stems
        forms = (form for word in read(text) for form in (*word.forms, word.shown))
        return frozenset(stem for form in forms for stem in stems(form) if stem)

    async def complete(
        self, text: str, limit: int, language: str | None = None, *, forgive: bool = True, titles: bool = True
    ) -> list[str]:
        """See `SearchIndex`."""
        return self._current().suggestions.complete(text, limit, language, forgive=forgive, titles=titles)

    async def close(self) -> None:
        """See `SearchIndex`."""

    def _current(self, *, newest: bool = False) -> Reader:
        reader = self._reader
        if reader is not None and not newest and clock.monotonic() < self._looked + LOOK_SECONDS:
            return reader
        self._looked = clock.monotonic()
        while True:
            pointed = self._store.pointed()
            try:
                self._reader, self._pointed = self._opened(reader, pointed), pointed
                return self._reader
            except (OSError, ValueError) as error:
                # An exchange removes the generation of before: the one that counts now is there.
                if pointed != self._store.pointed():
                    continue
                log.warning("the search index could not be reopened", error=str(error))
                if reader is None:
                    raise IndexNotReady("The search index is being exchanged.") from error
                # The open one stays readable.
                return reader

    def _opened(self, reader: Reader | None, pointed: tuple[int, int] | None) -> Reader:
        """The newest commit of the generation that is pointed to. Raises: IndexNotReady; OSError, ValueError when it
        cannot be read, or is not there any more."""
        folder = None if reader is None else reader.folder
        if reader is None or pointed != self._pointed:
            folder = self._store.current() or folder
        if folder is None:
            if pointed != self._store.pointed():
                raise FileNotFoundError("exchanged")
            raise IndexNotReady("The search index is being built; browsing by category works meanwhile.")
        committed = (folder / "meta.json").stat().st_mtime_ns
        if reader is None or reader.folder != folder:
            index = open_index(folder)
            suggestions = Suggestions(folder, self._store.languages.known)
            return Reader(folder, index, committed, index.searcher(), self._store.languages, suggestions)
        suggestions = reader.suggestions.newest()
        if reader.committed != committed:
            reader.index.reload()
            searcher = reader.index.searcher()
            return Reader(folder, reader.index, committed, searcher, reader.languages, suggestions)
        return reader if suggestions is reader.suggestions else replace(reader, suggestions=suggestions)


def open_index(folder: Path) -> tantivy.Index:
    """An existing generation with our analysers. Raises: ValueError when it is not an index."""
    index = tantivy.Index.open(str(folder))
    register(index)
    return index


def register(index: tantivy.Index) -> None:
    """Tell the index how its texts are read."""
    index.register_tokenizer(SURFACE, surface_words())
    index.register_tokenizer(NOT_SEARCHED, no_words())


def _search(reader: Reader, query: SearchQuery, asking: Asking) -> Found:
    searcher, held = reader.searcher, reader.searcher.num_docs
    # A blank text asks for everything.
    asked = asking.ask(query.text) if query.text.strip() else None
    unwanted = [one.every() for one in map(asking.ask, query.without) if one.corrected is None]
    text, wanted, page, enough = _with_all(searcher, asked, unwanted, query)
    # With filters, nothing may be found although the text matches: then it is not read in another way.
    if not page.total and asked is not None and len(asked.slots) > 1 and not matching.matches(searcher, text):
        asked = asking.without_what_is_nowhere(asked)
        text, wanted, page, enough = _with_all(searcher, asked, unwanted, query)
    full = page.total
    if asked is not None and 0 < full < enough:
        text = matching.without(asked.some(held), unwanted)
        wanted = matching.with_filters(searcher, text, query.filters)
        page = paging.page(searcher, wanted, query, facets.COUNTED_HERE + 1)
    hits, shown = [address for _, address in page.hits], page.hits[: query.limit]
    few = page.total == len(hits) <= facets.COUNTED_HERE and not query.filters.narrow_a_group
    every = reader.products_at(hits, facets.MOST_UNREAD) if few else []
    counted_here = few and len(every) == page.total
    if counted_here:
        groups, products = facets.Facets.of(reader, text, query, every), every[: query.limit]
    else:
        groups = facets.facets(reader, text, wanted, query)
        products = reader.products_at(hits[: query.limit])
    return Found(
        hits=[product.card for product in products]
        if query.language is None
        else [product.card_in(query.language) for product in products],
        ids=[product.product_id for product in products],
        scores=[score for score, _ in shown] if query.sort == "relevance" else [],
        total=page.total,
        exact=full > 0 and (asked is None or asked.as_typed),
        brands=groups.brands,
        price_ranges=list(groups.prices.items()),
        ratings=list(zip(RATING_STEPS, groups.ratings, strict=True)),
        corrected=None if asked is None else asked.corrected,
        also_searched=() if asked is None else asked.also_searched,
        full=full,
        relaxed=() if asked is None else asked.dropped,
        last=page.last if page.more else None,
        explained=explained(searcher, wanted, shown, reader.folder) if query.explain else (),
        more_brands=groups.more_brands,
        categories=groups.categories,
        attributes=groups.attributes,
        shown=groups.shown,
    )


def _with_all(
    searcher: tantivy.Searcher, asked: Asked | None, unwanted: Sequence[Query], query: SearchQuery
) -> tuple[Query, Query, paging.Page, int]:
    """The page of what has all words: what the text finds, the same under the filters, the page, and how many are
    enough. Where fewer are found they are only counted, and first of all where that is likely."""
    enough = _fills(asked, query)
    if asked is not None and asked.expected(searcher.num_docs) < enough:
        text = matching.without(asked.every(ordered=False), unwanted)
        wanted = matching.with_filters(searcher, text, query.filters)
        total = facets.number(searcher, Query.const_score_query(wanted, 0.0))
        if total < enough:
            return text, wanted, paging.Page((), total, None, more=False), enough
    text = matching.without(Query.all_query() if asked is None else asked.every(), unwanted)
    wanted = matching.with_filters(searcher, text, query.filters)
    return text, wanted, paging.page(searcher, wanted, query, facets.COUNTED_HERE + 1, enough), enough


def _fills(asked: Asked | None, query: SearchQuery) -> int:
    """Where fewer products have all words, those with some of them are found too."""
    return asked.enough if asked is not None and query.sort == "relevance" else 0
