"""Counts of what was found, by brand, price and rating: each group under all filters but its own."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import tantivy

from api.catalog.facets import PRICE_RANGES, RATING_STEPS
from api.catalog.queries.counting import MAX_BRANDS, Counts
from api.catalog.queries.listing import ProductQuery
from api.search.engine import matching
from api.search.engine.index import SearchQuery
from api.search.engine.reader import Product, Reader
from api.search.filters import Filters

# The engine makes no more groups.
MOST_BRANDS = 65_000
MAX_ATTRIBUTE_NAMES = 1_000_000
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
class Facets:
    """As in `Found`."""

    brands: Sequence[tuple[str, int]]
    prices: Mapping[int, int]
    ratings: Sequence[int]

    @classmethod
    def of(cls, products: Sequence[Product]) -> "Facets":
        brands = Counter(product.brand for product in products if product.brand)
        prices = Counter(bucket for product in products for bucket in product.prices)
        ratings = [product.rating for product in products]
        return cls(
            _most_frequent(brands.items()),
            {bucket: prices[bucket] for bucket in sorted(prices)},
            [sum(rating >= step for rating in ratings) for step in RATING_STEPS],
        )


def facets(reader: Reader, text: tantivy.Query, wanted: tantivy.Query, query: SearchQuery) -> Facets:
    """Each group under all filters but its own; groups without a filter of their own are counted together.

    Kept, because they are the same on every page of a search and while one of the filters is tried.
    """
    filters = query.filters
    alone = {
        "brands": replace(filters, brands=[]) if filters.brands else None,
        "prices": replace(filters, prices=[]) if filters.prices else None,
        "ratings": replace(filters, ratings=[]) if filters.ratings else None,
    }
    # Only by relevance those with some of the words are found too.
    of_text = (query.text, query.language, "some" if query.sort == "relevance" else None)
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
    return Facets(_brands(found), prices if filters.attributes else _prices(found), _ratings(found))


def _alone(reader: Reader, text: tantivy.Query, filters: Filters, name: str) -> Groups:
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


def count(reader: Reader, query: ProductQuery) -> Counts:
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


def all_brands(reader: Reader) -> list[tuple[str, int]]:
    """Counted once per commit of the index."""
    if not reader.brands:
        groups = {"brands": {"terms": {"field": "brand", "size": MOST_BRANDS}}}
        found: Groups = reader.searcher.aggregate(matching.list_query(ProductQuery()), groups)
        reader.brands.extend((bucket["key"], bucket["doc_count"]) for bucket in found["brands"]["buckets"])
    return reader.brands


def attribute_names(reader: Reader) -> list[str]:
    """By alphabet; read once per commit of the index."""
    if not reader.attributes:
        terms = reader.searcher.terms_with_prefix("attribute_names", "", limit=MAX_ATTRIBUTE_NAMES)
        reader.attributes.extend(sorted(term for term, _ in terms))
    return reader.attributes
