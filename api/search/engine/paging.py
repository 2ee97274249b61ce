"""Pages of what was found, in an order that no two products share a place in: by what is sorted by, then by the place
that the id alone gives. A commit of the index moves documents, never that order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import tantivy
from tantivy import FieldType, Occur, Order, Query

from api.search import documents
from api.search.engine.index import After, SearchQuery, Sort

Hit = tuple[float, tantivy.DocAddress]
# By field: is the largest first, and of which type is it.
_ORDERS: dict[Sort, tuple[str, bool, FieldType]] = {
    "price_asc": ("price_cents", False, FieldType.Unsigned),
    "price_desc": ("price_cents", True, FieldType.Unsigned),
    "rating": ("rating_hundredths", True, FieldType.Unsigned),
    "newest": ("age", True, FieldType.Unsigned),
    "popularity": ("popularity", True, FieldType.Float),
}
# Scores of the same product as of two commits differ by less, unless it was changed itself. How rare a word is counts
# what was replaced too, until the engine merges: all scores can change at once.
_DRIFT = 0.25


@dataclass(frozen=True, slots=True)
class Page:
    """`hits`: of the page, and after them what follows, as far as it was read; `last`: where the page ends, None when
    it is empty; `more`: something follows. `total`: what is found, whatever the page."""

    hits: Sequence[Hit]
    total: int
    last: After | None
    more: bool


def page(searcher: tantivy.Searcher, wanted: Query, query: SearchQuery, least: int, enough: int = 0) -> Page:
    """The page of a query, with at least so many hits where there are as many; only how many where by relevance fewer
    than `enough` are found."""
    most = max(query.limit + 1, least)
    if query.sort == "relevance" and query.text.strip():
        return _by_score(searcher, wanted, query, most, enough)
    # Nothing is said of blank text but how popular a product is.
    return _by_field(searcher, wanted, query, most, "popularity" if query.sort == "relevance" else query.sort)


def _by_field(searcher: tantivy.Searcher, wanted: Query, query: SearchQuery, most: int, sort: Sort) -> Page:
    """Products of one value are asked for in the order of their ids, as far as the page shows them."""
    name, descending, _ = _ORDERS[sort]
    after, offset, rest = query.after, query.offset, wanted
    if after is not None:
        beyond = _either(_span(sort, after.value, beyond=True), _both(_span(sort, after.value), _later(after.tie)))
        offset, rest = 0, _both(wanted, beyond)
    order = Order.Desc if descending else Order.Asc
    result = searcher.search(rest, most, offset=offset, order_by_field=name, order=order)
    hits, count = result.hits, _count(result)
    total = count if after is None else _number(searcher, wanted)
    if len(hits) < most and not offset:
        settled = [hit for hit, _ in _ranked(searcher, hits, sign=-1 if descending else 1)]
        shown = settled[: query.limit]
    else:
        settled = shown = _settled(searcher, rest, query, sort, hits)
    passed = (offset if after is None else after.passed) + len(shown)
    last = _end(searcher, shown[-1], passed) if shown else None
    return Page(settled, total, last, more=bool(shown) and offset + len(shown) < count)


def _settled(searcher: tantivy.Searcher, rest: Query, query: SearchQuery, sort: Sort, hits: Sequence[Hit]) -> list[Hit]:
    """The page that begins with the first of `hits`, each value in the order of its products' ids."""
    limit, offset = query.limit, 0 if query.after is not None else query.offset
    values = list(dict.fromkeys(value for value, _ in hits[:limit]))
    # How many of the first value are before the page.
    place = offset - _number(searcher, _both(rest, _span(sort, values[0], before=True))) if offset and values else 0
    settled: list[Hit] = []
    for value in values:
        own = [hit for hit in hits if hit[0] == value]
        if place == 0 and own[-1] is not hits[-1]:
            settled += [hit for hit, _ in _ranked(searcher, own)]
        else:
            same, needed = _both(rest, _span(sort, value)), limit - len(settled)
            found = searcher.search(same, needed, offset=place, order_by_field="tie", order=Order.Asc)
            settled += [(value, address) for _, address in found.hits]
        place = 0
    return settled[:limit]


def _by_score(searcher: tantivy.Searcher, wanted: Query, query: SearchQuery, most: int, enough: int) -> Page:
    """Scores cannot be asked for, so all before the page are passed; those of one score are all read."""
    after, limit = query.after, query.limit
    passed = query.offset if after is None else after.passed
    depth = passed + most
    while True:
        result = searcher.search(wanted, depth, weight_by_field="liked")
        hits, total = result.hits, _count(result)
        if total < enough:
            return Page((), total, None, more=False)
        # What follows the page is only counted, in any order.
        whole = _whole(hits, passed + limit) if after is None else len(hits)
        ranked = _ranked(searcher, hits[:whole], sign=-1, always=after is not None)
        begin = passed if after is None else _begin(ranked, after)
        # Whether what follows the page, and all of the score that it ends in, are among what was read.
        if len(hits) >= total or (begin + limit < len(hits) and ranked[begin + limit - 1][0][0] != hits[-1][0]):
            break
        depth *= 2
    found = [*(hit for hit, _ in ranked[begin:]), *hits[whole:]][:most]
    shown = found[:limit]
    last = _end(searcher, shown[-1], begin + len(shown)) if shown else None
    return Page(found, total, last, more=bool(shown) and begin + len(shown) < total)


def _whole(hits: Sequence[Hit], end: int) -> int:
    """Where the score ends that the last before `end` has."""
    while 0 < end < len(hits) and hits[end][0] == hits[end - 1][0]:
        end += 1
    return min(end, len(hits))


def _begin(ranked: Sequence[tuple[Hit, int]], after: After) -> int:
    """How many are before the page. A commit moves all scores a little: what counts is where the last result is now,
    unless it is gone, or is another one."""
    for place, ((score, _), tie) in enumerate(ranked):
        if tie == after.tie and abs(score - after.value) <= _DRIFT * after.value:
            return place + 1
    return sum((-score, tie) <= (-after.value, after.tie) for (score, _), tie in ranked)


def _ranked(
    searcher: tantivy.Searcher, hits: Sequence[Hit], *, sign: int = 1, always: bool = False
) -> list[tuple[Hit, int]]:
    """Hits in order with their ties, which are read where two are equal, or always."""
    if not always and all(one[0] != other[0] for one, other in pairwise(hits)):
        return [(hit, 0) for hit in hits]
    ties = searcher.fast_field_values("tie", [address for _, address in hits])
    return sorted(zip(hits, map(_tie, ties), strict=True), key=lambda one: (sign * one[0][0], one[1]))


def _end(searcher: tantivy.Searcher, hit: Hit, passed: int) -> After:
    value, address = hit
    return After(float(value), _tie(searcher.fast_field_values("tie", [address])[0]), passed)


def _tie(value: float | None) -> int:
    return int(value or 0)


def _span(sort: Sort, value: float, *, beyond: bool = False, before: bool = False) -> Query:
    """What is sorted as `value`, beyond it, or before it."""
    name, descending, kind = _ORDERS[sort]
    low, high = (value, value) if kind is FieldType.Float else (int(value), int(value))
    if not beyond and not before:
        return Query.range_query(documents.schema(), name, kind, low, high)
    if beyond is descending:
        return Query.range_query(documents.schema(), name, kind, None, high, include_upper=False)
    return Query.range_query(documents.schema(), name, kind, low, None, include_lower=False)


def _later(tie: int) -> Query:
    return Query.range_query(documents.schema(), "tie", FieldType.Unsigned, tie, None, include_lower=False)


def _both(one: Query, other: Query) -> Query:
    return Query.boolean_query([(Occur.Must, one), (Occur.Must, Query.const_score_query(other, 0.0))])


def _either(one: Query, other: Query) -> Query:
    return Query.boolean_query([(Occur.Should, one), (Occur.Should, other)])


def _number(searcher: tantivy.Searcher, query: Query) -> int:
    return _count(searcher.search(query, 1, count=True))


def _count(result: tantivy.SearchResult) -> int:
    return int(result.count)  # type: ignore[attr-defined]  # missing in the wheel's stub
