"""Search in process with Tantivy: BM25 times popularity, exact facets, and readers that
reopen the current generation automatically."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import orjson
import tantivy

from api.catalog.facets import PRICE_RANGES, RATING_STEPS
from api.catalog.queries.counting import MAX_BRANDS, Counts
from api.catalog.queries.listing import ProductQuery
from api.kernel import clock
from api.kernel.languages import Languages
from api.kernel.logs import get_logger
from api.search import documents
from api.search.engine import matching
from api.search.engine.index import Found, SearchQuery
from api.search.engine.store import IndexStore
from api.search.errors import IndexNotReady
from api.search.filters import Filters
from api.search.suggest import Completions
from api.search.texts import NOT_SEARCHED, SHOP, analyser, analyser_name, no_words

log = get_logger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 0.2
COMPLETIONS_SECONDS = 10.0
MAX_COMPLETED_PRODUCTS = 50_000
THREAD_FROM = 50_000
MAX_COUNTED = 10_000
MAX_PRODUCTS = 20_000
MAX_GROUPS = 500
# The engine makes no more groups.
MOST_BRANDS = 65_000
MAX_ATTRIBUTE_NAMES = 1_000_000
_ORDERS = {
    "price_asc": ("price_cents", tantivy.Order.Asc),
    "price_desc": ("price_cents", tantivy.Order.Desc),
    "rating": ("rating_hundredths", tantivy.Order.Desc),
    "newest": ("age", tantivy.Order.Desc),
    "popularity": ("popularity", tantivy.Order.Desc),
}
_STEPS = sorted(RATING_STEPS)
_BRANDS = {"terms": {"field": "brand", "size": MAX_BRANDS}}
# More than are shown: the engine cuts off among brands of equal count in no order.
_ALL_BRANDS = {"terms": {"field": "brand", "size": 20 * MAX_BRANDS}}
_PRICES = {"terms": {"field": "price_buckets", "size": len(PRICE_RANGES)}}
_OWN_PRICES = {"terms": {"field": "own_buckets", "size": len(PRICE_RANGES)}}
_FIRST_PRICES = {"terms": {"field": "first_bucket", "size": len(PRICE_RANGES)}}
# Counted between steps and added up: a range aggregation puts a document into one range only.
_RATINGS = {
    "range": {
        "field": "rating_hundredths",
        "ranges": [
            *({"from": low * 100, "to": high * 100} for low, high in pairwise(_STEPS)),
            {"from": _STEPS[-1] * 100},
        ],
    }
}
_GROUPS = {"brands": _BRANDS, "prices": _PRICES, "ratings": _RATINGS}
_GROUPS_OF_LISTS = {**_GROUPS, "brands": _ALL_BRANDS, "total": {"value_count": {"field": "price_cents"}}}
Groups = dict[str, Any]  # Any: the engine's own form of counts
# Up to so many results are counted here: the engine takes longer to read what it is asked to count.
COUNTED_HERE = 100


@dataclass(frozen=True, slots=True)
class _Reader:
    """An open generation as of one commit. What was read of it is kept as long as it is: `counted` for lists, and
    products by their place in it."""

    folder: Path
    index: tantivy.Index
    committed: int
    searcher: tantivy.Searcher
    languages: Languages
    counted: dict[ProductQuery, Counts] = field(default_factory=dict)
    products: dict[tuple[int, int], "_Product"] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    brands: list[tuple[str, int]] = field(default_factory=list)
    groups: dict[tuple[str | None, ...], Any] = field(default_factory=dict)  # Any: counts in several forms

    @property
    def is_large(self) -> bool:
        """Whether a query takes longer than a thread to run it in."""
        return self.searcher.num_docs >= THREAD_FROM

    def once(self, key: tuple[str | None, ...], count: Callable[[], T]) -> T:
        """What `count` found when it was called for this key."""
        found: T | None = self.groups.get(key)
        if found is None:
            found = count()
            if len(self.groups) >= MAX_GROUPS:
                self.groups.clear()
            self.groups[key] = found
        return found

    def product(self, address: tantivy.DocAddress) -> "_Product":
        place = (address.segment_ord, address.doc)
        product = self.products.get(place)
        if product is None:
            product = _Product.of(self.searcher.doc(address), self.languages.own)
            if len(self.products) < MAX_PRODUCTS:
                self.products[place] = product
        return product


@dataclass(frozen=True, slots=True)
class _Product:
    """`card` is the JSON of a SearchResultItem for a reader of the shop's own language, `cards` of those for others by
    language, made when they are asked for. `titles` by language, its own first. The rest is what is counted, `prices`
    as the buckets of all that it is offered at."""

    card: str
    brand: str | None
    prices: list[int]
    rating: float
    titles: dict[str, str]
    cards: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: tantivy.Document, own: str) -> "_Product":
        card = str(stored.get_first("card"))
        shown = orjson.loads(card)
        titles = stored.get_first("titles")
        known = {own: shown["title"]} if titles is None else orjson.loads(str(titles))
        return cls(card, shown["brand"], stored.get_all("price_buckets"), shown["rating"], known)

    def card_in(self, language: str | None) -> str:
        """The card for a reader of a language; None: of the shop's own."""
        if language is None:
            return self.card
        card = self.cards.get(language)
        if card is None:
            title, other = documents.shown_title(self.titles, language)
            made = {**orjson.loads(self.card), "title": title, "titleLanguage": other}
            card = self.cards[language] = orjson.dumps(made).decode()
        return card


@dataclass(frozen=True, slots=True)
class _Facets:
    """As in `Found`."""

    brands: Sequence[tuple[str, int]]
    prices: Mapping[int, int]
    ratings: Sequence[int]

    @classmethod
    def of(cls, products: Sequence[_Product]) -> "_Facets":
        brands = Counter(product.brand for product in products if product.brand)
        prices = Counter(bucket for product in products for bucket in product.prices)
        ratings = [product.rating for product in products]
        return cls(
            _most_frequent(brands.items()),
            {bucket: prices[bucket] for bucket in sorted(prices)},
            [sum(rating >= step for rating in ratings) for step in RATING_STEPS],
        )


@dataclass(slots=True)
class _Completions:
    """Phrases as of a commit, and when they were read."""

    phrases: Completions = field(default_factory=lambda: Completions(()))
    of: tuple[Path, int] | None = None
    made: float = 0.0


class TantivyIndex:
    """The SearchIndex of one process.

    On a request, at most five times a second, it checks for a newer commit or generation; for counts of a list always,
    because the list may be asked for because of the newest commit.
    """

    def __init__(self, store: IndexStore) -> None:
        self._store = store
        self._reader: _Reader | None = None
        self._looked = 0.0
        self._pointed: tuple[int, int] | None = None
        # Of each language that was asked for; None is the shop's own.
        self._completions: dict[str | None, _Completions] = {}
        self._completing = asyncio.Lock()

    async def search(self, query: SearchQuery) -> Found:
        """See `SearchIndex`. In a thread when the index is large: a broad query takes milliseconds there."""
        reader = self._current()
        return await asyncio.to_thread(_search, reader, query) if reader.is_large else _search(reader, query)

    async def count(self, query: ProductQuery) -> Counts | None:
        """See `ListCounter`. Each scope, and each choice within it, is counted once per commit of the index."""
        try:
            reader = self._current(newest=True)
        except IndexNotReady:
            return None
        query = replace(query, sort="relevance")
        counts = reader.counted.get(query)
        if counts is None:
            counts = await asyncio.to_thread(_count, reader, query) if reader.is_large else _count(reader, query)
            if len(reader.counted) >= MAX_COUNTED:
                reader.counted.clear()
            reader.counted[query] = counts
        return counts

    async def brands(self) -> list[tuple[str, int]] | None:
        """See `ListCounter`."""
        try:
            reader = self._current()
        except IndexNotReady:
            return None
        return await asyncio.to_thread(_all_brands, reader)

    async def attribute_names(self) -> list[str]:
        """See `KnownAttributes`."""
        try:
            reader = self._current()
        except IndexNotReady:
            return []
        return await asyncio.to_thread(_attribute_names, reader)

    def knows_attribute(self, name: str) -> bool:
        """See `SearchIndex`."""
        searcher = self._current().searcher
        return any(searcher.doc_freq("attribute_names", spelled) for spelled in documents.spellings(name))

    async def complete(self, text: str, limit: int, language: str | None = None, *, forgive: bool = True) -> list[str]:
        """See `SearchIndex`. The phrases are about ten seconds old at most."""
        reader = self._current()
        kept = self._completions.setdefault(language, _Completions())
        stale = kept.of != (reader.folder, reader.committed)
        if stale and not self._completing.locked() and kept.made + COMPLETIONS_SECONDS <= clock.monotonic():
            async with self._completing:
                kept.phrases = await asyncio.to_thread(_completions, reader, language)
                kept.of, kept.made = (reader.folder, reader.committed), clock.monotonic()
        return kept.phrases.complete(text, limit, forgive=forgive)

    def _current(self, *, newest: bool = False) -> _Reader:
        reader = self._reader
        if reader is not None and not newest and clock.monotonic() < self._looked + LOOK_SECONDS:
            return reader
        self._looked = clock.monotonic()
        folder, pointed = None if reader is None else reader.folder, self._store.pointed()
        if reader is None or pointed != self._pointed:
            folder = self._store.current() or folder
        if folder is None:
            raise IndexNotReady("The search index is being built; browsing by category works meanwhile.")
        try:
            committed = (folder / "meta.json").stat().st_mtime_ns
            if reader is None or reader.folder != folder:
                index = open_index(folder, self._store.languages)
                reader = _Reader(folder, index, committed, index.searcher(), self._store.languages)
            elif reader.committed != committed:
                reader.index.reload()
                reader = _Reader(folder, reader.index, committed, reader.index.searcher(), reader.languages)
            self._reader, self._pointed = reader, pointed
        except (OSError, ValueError) as error:
            # The generation was replaced during the check. The open one stays
            # readable, and the next check finds the new one.
            log.warning("the search index could not be reopened", error=str(error))
            if reader is None:
                raise IndexNotReady("The search index is being exchanged.") from error
        return reader


def open_index(folder: Path, languages: Languages = SHOP) -> tantivy.Index:
    """An existing generation with our analysers. Raises: ValueError when it is not an index."""
    index = tantivy.Index.open(str(folder))
    register(index, languages)
    return index


def register(index: tantivy.Index, languages: Languages) -> None:
    """Tell the index how texts of these languages are read."""
    for language in languages.known:
        index.register_tokenizer(analyser_name(language), analyser(language))
    index.register_tokenizer(NOT_SEARCHED, no_words())


def _search(reader: _Reader, query: SearchQuery) -> Found:
    tongue = matching.tongue(reader.languages, query.language)
    searcher, words = reader.searcher, tongue.words(query.text, matching.MAX_WORDS)
    for reading in matching.readings(query.text, words, tongue):
        wanted = matching.with_filters(searcher, reading.query, query.filters)
        hits, total = _top(searcher, wanted, query, max(query.limit, COUNTED_HERE))
        # With filters, nothing may be found although the text matches: then it is not read in another way.
        if total or reading.last or matching.matches(searcher, reading.query):
            few = total == len(hits) and not query.filters.narrow_a_group and not query.filters.attributes
            products = [reader.product(address) for address in (hits if few else hits[: query.limit])]
            facets = _Facets.of(products) if few else _facets(reader, reading.query, wanted, query)
            return Found(
                hits=[product.card_in(query.language) for product in products[: query.limit]],
                total=total,
                exact=reading.exact and total > 0,
                brands=facets.brands,
                price_ranges=list(facets.prices.items()),
                ratings=list(zip(RATING_STEPS, facets.ratings, strict=True)),
                corrected=matching.corrected(searcher, words, tongue) if reading.corrects else None,
            )
    raise AssertionError("a text has a last reading")


def _top(
    searcher: tantivy.Searcher, wanted: tantivy.Query, query: SearchQuery, limit: int
) -> tuple[list[tantivy.DocAddress], int]:
    """The first `limit` documents from the page's offset on, and how many match."""
    if query.sort == "relevance":
        result = searcher.search(wanted, limit, offset=query.offset, weight_by_field="popularity")
    else:
        by, order = _ORDERS[query.sort]
        result = searcher.search(wanted, limit, offset=query.offset, order_by_field=by, order=order)
    return [address for _, address in result.hits], result.count  # type: ignore[attr-defined]  # missing in the wheel's stub


def _facets(reader: _Reader, text: tantivy.Query, wanted: tantivy.Query, query: SearchQuery) -> _Facets:
    """Each group under all filters but its own; groups without a filter of their own are counted together.

    Kept, because they are the same on every page of a search, in every order, and while one of the filters is tried.
    """
    filters = query.filters
    alone = {
        "brands": replace(filters, brands=[]) if filters.brands else None,
        "prices": replace(filters, prices=[]) if filters.prices else None,
        "ratings": replace(filters, ratings=[]) if filters.ratings else None,
    }
    of_text = (query.text, query.language)
    found: Groups = {}
    if filters.attributes:
        # Of the prices of a product only those count at which it has a variant with these attributes.
        of_any_price = replace(filters, prices=[])
        del alone["prices"]
        prices = reader.once(
            (*of_text, "prices", repr(of_any_price)),
            lambda: prices_with_attributes(reader.searcher, text, of_any_price),
        )
    if together := {name: _GROUPS[name] for name, others in alone.items() if others is None}:
        key = (*of_text, *together, repr(filters))
        found.update(reader.once(key, lambda: reader.searcher.aggregate(wanted, together)))
    for name, others in alone.items():
        if others is not None:
            found.update(reader.once((*of_text, name, repr(others)), partial(_alone, reader, text, others, name)))
    return _Facets(_brands(found), prices if filters.attributes else _prices(found), _ratings(found))


def _alone(reader: _Reader, text: tantivy.Query, filters: Filters, name: str) -> Groups:
    """One group, under filters that are not its own."""
    query = matching.with_filters(reader.searcher, text, filters)
    groups: Groups = reader.searcher.aggregate(query, {name: _GROUPS[name]})
    return groups


def prices_with_attributes(searcher: tantivy.Searcher, text: tantivy.Query, filters: Filters) -> dict[int, int]:
    """Every price is counted, and then what was counted twice is taken off."""
    query = matching.at_every_price(searcher, text, filters)
    counts = _prices(searcher.aggregate(query, {"prices": _OWN_PRICES}))
    twice = matching.again_in_range(searcher, query, filters)
    again = _prices(searcher.aggregate(twice, {"prices": _FIRST_PRICES}))
    return {bucket: n - again.get(bucket, 0) for bucket, n in counts.items()}


def number(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many documents match."""
    return int(searcher.search(query, 1, count=True).count)  # type: ignore[attr-defined]  # missing in the wheel's stub


def _count(reader: _Reader, query: ProductQuery) -> Counts:
    """The groups of the scope, and how many products the whole query matches."""
    searcher = reader.searcher
    whole = replace(query, brands=(), min_price=None, max_price=None, min_rating=None)
    counts = reader.counted.get(whole)
    if counts is None:
        groups: Groups = searcher.aggregate(matching.list_query(whole), _GROUPS_OF_LISTS)
        brands = [name for name, _ in _brands(groups)]
        total = int(groups["total"]["value"])
        counts = reader.counted[whole] = Counts(total, brands, _prices(groups), _ratings(groups))
    return counts if query == whole else replace(counts, total=number(searcher, matching.list_query(query)))


def _brands(groups: Groups) -> list[tuple[str, int]]:
    """Most frequent first, then by name."""
    return _most_frequent((bucket["key"], bucket["doc_count"]) for bucket in groups["brands"]["buckets"])


def _most_frequent(brands: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(brands, key=lambda pair: (-pair[1], pair[0]))[:MAX_BRANDS]


def _prices(groups: Groups) -> dict[int, int]:
    """Count by bucket of `facets`; buckets without products are left out."""
    return {int(found["key"]): found["doc_count"] for found in sorted(groups["prices"]["buckets"], key=_key)}


def _key(bucket: dict[str, Any]) -> int:  # Any: as Groups
    return int(bucket["key"])


def _ratings(groups: Groups) -> list[int]:
    """Products rated so or better, by RATING_STEPS."""
    by_start = {int(bucket.get("from", 0)): bucket["doc_count"] for bucket in groups["ratings"]["buckets"]}
    return [sum(by_start.get(other * 100, 0) for other in _STEPS if other >= step) for step in RATING_STEPS]


def _all_brands(reader: _Reader) -> list[tuple[str, int]]:
    """Counted once per commit of the index."""
    if not reader.brands:
        groups = {"brands": {"terms": {"field": "brand", "size": MOST_BRANDS}}}
        found: Groups = reader.searcher.aggregate(matching.list_query(ProductQuery()), groups)
        reader.brands.extend((bucket["key"], bucket["doc_count"]) for bucket in found["brands"]["buckets"])
    return reader.brands


def _attribute_names(reader: _Reader) -> list[str]:
    """By alphabet; read once per commit of the index."""
    if not reader.attributes:
        terms = reader.searcher.terms_with_prefix("attribute_names", "", limit=MAX_ATTRIBUTE_NAMES)
        reader.attributes.extend(sorted(term for term, _ in terms))
    return reader.attributes


def _completions(reader: _Reader, language: str | None) -> Completions:
    """Titles by popularity, each as a reader of the language is shown it; brands above the titles they stand for."""
    searcher = reader.searcher
    every = matching.list_query(ProductQuery())
    result = searcher.search(every, MAX_COMPLETED_PRODUCTS, order_by_field="popularity", count=False)
    phrases: list[tuple[str, float]] = []
    brands: dict[str, float] = {}
    for weight, address in result.hits:
        product = _Product.of(searcher.doc(address), reader.languages.own)
        phrases.append((documents.shown_title(product.titles, language or reader.languages.own)[0], float(weight)))
        if product.brand:
            brands[product.brand] = brands.get(product.brand, 0.0) + float(weight)
    return Completions([*phrases, *brands.items()])
