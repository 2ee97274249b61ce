"""Counts of what was found, by brand, category, price, rating and attribute: each group under all filters but its
own."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import tantivy

from api.catalog.facets import PRICE_RANGES, RATING_STEPS
from api.catalog.queries.counting import MAX_BRANDS, Counts
from api.catalog.queries.listing import ProductQuery
from api.search import documents
from api.search.engine import matching
from api.search.engine.index import CountedAttribute, SearchQuery
from api.search.engine.reader import BRANDS, CATEGORIES, PRICES, RATINGS, Product, Reader, Term
from api.search.filters import Filters

Groups = dict[str, Any]  # Any: the engine's own form of counts
# The engine makes no more groups.
MOST_GROUPS = 65_000
MAX_ATTRIBUTE_NAMES = 1_000_000


def _terms(field: str, size: int) -> Groups:
    """Exact: the engine drops no term of a segment before it has added up all segments."""
    return {"terms": {"field": field, "size": size, "segment_size": MOST_GROUPS}}


_STEPS = sorted(RATING_STEPS)
# So many attributes are listed, and so many values of each.
MAX_ATTRIBUTES = 12
MAX_VALUES = 20
# More values than these are not looked at: those of the fewest products are left out.
MOST_VALUES = 1_000
_BRANDS = _terms("brand_key", MAX_BRANDS + 1)
_CATEGORIES = _terms("category", MOST_GROUPS)
_VALUES = _terms("values", MOST_VALUES)
_NEW_VALUES = _terms("new_values", MOST_GROUPS)
_AGAIN_VALUES = _terms("again_values", MOST_GROUPS)
# More than are shown: the engine cuts off among brands of equal count in no order.
_ALL_BRANDS = {"terms": {"field": "brand_key", "size": 20 * MAX_BRANDS}}
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
_GROUPS = {
    "brands": _BRANDS, "categories": _CATEGORIES, "prices": _PRICES, "ratings": _RATINGS, "values": _VALUES,
}  # fmt: skip
_GROUPS_OF_LISTS = {
    "brands": _ALL_BRANDS,
    "prices": _PRICES,
    "ratings": _RATINGS,
    "total": {"value_count": {"field": "price_cents"}},
}
# Up to so many results are counted here, unless more than so many of them were not read before: the engine takes longer
# to read what it is asked to count.
COUNTED_HERE = 250
MOST_UNREAD = 100
# Of one group: negative counts, texts, terms; in their order the most frequent is first, then it is by name.
_Group = list[tuple[int, str, Term]]


@dataclass(frozen=True, slots=True)
class Facets:
    """As in `Found`."""

    brands: Sequence[tuple[str, int]]
    more_brands: bool
    categories: Sequence[tuple[str, int]]
    prices: Mapping[int, int]
    ratings: Sequence[int]
    attributes: Sequence[CountedAttribute]
    shown: dict[Any, bytes] = field(default_factory=dict, compare=False)  # Any: as in Found

    @classmethod
    def of(cls, reader: Reader, text: tantivy.Query, query: SearchQuery, products: Sequence[Product]) -> "Facets":
        """Counted from all that was found, without filters that narrow a group."""
        groups = _grouped(reader.counts_of(products))
        brands, categories, prices, ratings = (
            [(name, -n) for n, name, _ in groups.pop(group, ())] for group in (BRANDS, CATEGORIES, PRICES, RATINGS)
        )
        if query.filters.categories:
            of_text, others = query.of_text, replace(query.filters, categories=[])
            categories = _most_frequent(_counted(_alone(reader, text, of_text, others, "categories"), "categories"))
        rated = {int(step): n for step, n in ratings}
        return cls(
            [(reader.spelled(brand), n) for brand, n in brands[:MAX_BRANDS]],
            len(brands) > MAX_BRANDS,
            categories,
            dict(sorted((int(bucket), n) for bucket, n in prices)),
            _or_better(rated),
            _attributes(reader, groups),
        )


def facets(reader: Reader, text: tantivy.Query, wanted: tantivy.Query, query: SearchQuery) -> Facets:
    """Each group under all filters but its own; groups without a filter of their own are counted together.

    Kept, because they are the same on every page of a search and while one of the filters is tried.
    """
    return reader.once(
        (*query.of_text, "facets", repr(query.filters)),
        lambda: _facets(reader, text, wanted, query),
    )


def _facets(reader: Reader, text: tantivy.Query, wanted: tantivy.Query, query: SearchQuery) -> Facets:
    filters = query.filters
    alone = {
        "brands": replace(filters, brands=[]) if filters.brands else None,
        "categories": replace(filters, categories=[]) if filters.categories else None,
        "prices": replace(filters, prices=[]) if filters.prices else None,
        "ratings": replace(filters, ratings=[]) if filters.ratings else None,
    }
    of_text = query.of_text
    found: Groups = {}
    if filters.attributes:
        # Of the prices of a product only those count at which it has a variant with these attributes.
        of_any_price = replace(filters, prices=[])
        del alone["prices"]
        prices = reader.once(
            (*of_text, "prices", repr(of_any_price)),
            lambda: prices_with_attributes(reader.searcher, text, of_any_price),
        )
    together = {name: _GROUPS[name] for name, others in {**alone, "values": None}.items() if others is None}
    key = (*of_text, *together, repr(filters))
    found.update(reader.once(key, lambda: reader.searcher.aggregate(wanted, together)))
    for name, others in alone.items():
        if others is not None:
            found.update(_alone(reader, text, of_text, others, name))
    values = _counted(found, "values")
    return Facets(
        *_brands(reader, _counted(found, "brands")),
        _most_frequent(_counted(found, "categories")),
        prices if filters.attributes else _prices(found),
        _ratings(found),
        listed(reader, values)
        if not filters.attributes and not filters.prices
        else _of_variants(reader, text, query, values),
    )


def _alone(reader: Reader, text: tantivy.Query, of_text: tuple[str | None, ...], filters: Filters, name: str) -> Groups:
    """One group, under filters that are not its own."""

    def count() -> Groups:
        found: Groups = reader.searcher.aggregate(
            matching.with_filters(reader.searcher, text, filters), {name: _GROUPS[name]}
        )
        return found

    return reader.once((*of_text, name, repr(filters)), count)


def _of_variants(
    reader: Reader, text: tantivy.Query, query: SearchQuery, values: Mapping[str, int]
) -> list[CountedAttribute]:
    """Where prices or attributes are asked for, a product has a value when the variant has it that fulfils the rest.

    In one range of prices, a variant's value counts unless a cheaper one within it has it too. Otherwise each value is
    counted as its filter would find it: what products have at any variant only says which are looked at.
    """
    filters, of_text = query.filters, query.of_text
    if not filters.attributes and (lowest := matching.lowest_asked(filters)) is not None:
        return listed(reader, _of_prices(reader.searcher, text, filters, lowest))
    asked: dict[str, list[str]] = {}
    for name, chosen in filters.attributes.items():
        asked.setdefault(documents.spelled(name), []).extend(documents.value_term(name, value) for value in chosen)
    by_name = _by_attribute(values)
    counts = Counter[str]()
    for name in [*asked, *(name for name in by_name if name not in asked)][: MAX_ATTRIBUTES + len(asked)]:
        others = {one: chosen for one, chosen in filters.attributes.items() if documents.spelled(one) != name}
        of_others = replace(filters, attributes=others)
        terms = by_name.get(name, {})
        if name in asked:
            found = _counted(_alone(reader, text, of_text, of_others, "values"), "values")
            terms = _by_attribute(found).get(name, {})
        # One more than are listed says that there are more.
        for term in list(dict.fromkeys([*asked.get(name, ()), *terms]))[: MAX_VALUES + 1]:
            value = term.partition(documents.SEPARATOR)[2]
            wanted = matching.with_filters(
                reader.searcher, text, replace(filters, attributes={**others, name: [value]})
            )
            counts[term] = number(reader.searcher, wanted)
    return listed(reader, +counts)


def _of_prices(searcher: tantivy.Searcher, text: tantivy.Query, filters: Filters, lowest: int) -> dict[str, int]:
    """How many products have each value at a price of one range that begins with `lowest`, in cents."""
    new = searcher.aggregate(matching.at_prices(text, filters), {"new": _NEW_VALUES})
    counts = Counter(_counted(new, "new"))
    if lowest:
        again = searcher.aggregate(matching.at_prices(text, filters, lowest), {"again": _AGAIN_VALUES})
        for key, n in _counted(again, "again").items():
            cents, _, term = key.partition(documents.SEPARATOR)
            if int(cents) < lowest:
                counts[term] += n
    return counts


def _by_attribute(values: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Counts of terms by attribute: that of most values first, and so are its terms."""
    found: dict[str, dict[str, int]] = {}
    for term, n in _most_frequent(values):
        found.setdefault(term.partition(documents.SEPARATOR)[0], {})[term] = n
    return dict(sorted(found.items(), key=lambda one: (-sum(one[1].values()), one[0])))


def listed(reader: Reader, values: Mapping[str, int]) -> list[CountedAttribute]:
    """Counts of terms as they are shown."""
    return _attributes(reader, _grouped((reader.value(term), n) for term, n in values.items()))


def _grouped(counts: Iterable[tuple[Term, int]]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for term, n in counts:
        group = groups.get(term.group)
        if group is None:
            groups[term.group] = [(-n, term.text, term)]
        else:
            group.append((-n, term.text, term))
    for group in groups.values():
        group.sort()
    return groups


def _attributes(reader: Reader, groups: Mapping[str, _Group]) -> list[CountedAttribute]:
    """That of most values first."""
    most = sorted((sum([n for n, _, _ in group]), key) for key, group in groups.items())[:MAX_ATTRIBUTES]
    return [
        CountedAttribute(
            key,
            reader.valued(groups[key][0][2])[0],
            [((term.valued or reader.valued(term))[1], -n) for n, _, term in groups[key][:MAX_VALUES]],
            len(groups[key]) > MAX_VALUES,
        )
        for _, key in most
    ]


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
        brands = [reader.spelled(term) for term, _ in _most_frequent(_counted(groups, "brands"))[:MAX_BRANDS]]
        total = int(groups["total"]["value"])
        counts = reader.counted[whole] = Counts(total, brands, _prices(groups), _ratings(groups))
    return counts if query == whole else replace(counts, total=number(searcher, matching.list_query(query)))


def _counted(groups: Groups, name: str) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in groups[name]["buckets"]}


def _brands(reader: Reader, counts: Mapping[str, int]) -> tuple[list[tuple[str, int]], bool]:
    """As they are spelled, and whether there are more."""
    found = _most_frequent(counts)
    return [(reader.spelled(term), n) for term, n in found[:MAX_BRANDS]], len(found) > MAX_BRANDS


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Most frequent first, then by name."""
    terms = sorted(sorted(counts), key=counts.__getitem__, reverse=True)
    return [(term, counts[term]) for term in terms]


def _prices(groups: Groups) -> dict[int, int]:
    """Count by bucket of `facets`; buckets without products are left out."""
    return {int(found["key"]): found["doc_count"] for found in sorted(groups["prices"]["buckets"], key=_key)}


def _key(bucket: dict[str, Any]) -> int:  # Any: as Groups
    return int(bucket["key"])


def _ratings(groups: Groups) -> list[int]:
    """Products rated so or better, by RATING_STEPS."""
    return _or_better({int(found.get("from", 0)) // 100: found["doc_count"] for found in groups["ratings"]["buckets"]})


def _or_better(reached: Mapping[int, int]) -> list[int]:
    """Of how many products reach each step and none that is higher."""
    return [sum([n for other, n in reached.items() if other >= step]) for step in RATING_STEPS]


def all_brands(reader: Reader) -> list[tuple[str, int]]:
    """Counted once per commit of the index."""
    if not reader.brands:
        groups = {"brands": {"terms": {"field": "brand", "size": MOST_GROUPS}}}
        found: Groups = reader.searcher.aggregate(matching.list_query(ProductQuery()), groups)
        reader.brands.extend((bucket["key"], bucket["doc_count"]) for bucket in found["brands"]["buckets"])
    return reader.brands


def attribute_names(reader: Reader) -> list[str]:
    """By alphabet; read once per commit of the index."""
    if not reader.attributes:
        terms = reader.searcher.terms_with_prefix("attribute_names", "", limit=MAX_ATTRIBUTE_NAMES)
        reader.attributes.extend(sorted(term for term, _ in terms))
    return reader.attributes
