"""Builds engine queries from words and filters, without the engine's parser: a shopper's `-`,
`:` or quote is a character, not syntax."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

import tantivy
from tantivy import Occur, Query

from api.catalog.queries.listing import ProductQuery
from api.kernel.money import ZERO
from api.search import documents
from api.search.filters import Filters, Span

MAX_WORDS = 20
# A corrected word must keep its first letter and be long enough to be recognised.
MIN_CORRECTED = 4
# The engine refuses a range whose upper end is both open and exclusive. This bound is above every amount in cents.
_NO_UPPER = 10**15


def words_of(text: str) -> list[str]:
    """The words as the index has them, as stems."""
    return _analyser().analyze(text)[:MAX_WORDS]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text; `exact`: every word as it was typed, `corrects`: words stand for others that are one
    typing error away."""

    query: Query
    exact: bool = False
    corrects: bool = False
    last: bool = False


def readings(text: str, words: Sequence[str]) -> Iterator[Reading]:
    """How `text` can be read, the strictest first; the first that matches anything counts, or else the last.

    All words must match; or all words with one typing error each; or any word.
    """
    if not words:
        yield Reading(Query.empty_query() if text.strip() else Query.all_query(), last=True)
        return
    yield Reading(_all_of([_word(word) for word in words], _phrase(words)), exact=True)
    yield Reading(_all_of([_forgiving_word(word) for word in words], None), corrects=True)
    yield Reading(Query.boolean_query([(Occur.Should, _word(word)) for word in words]), last=True)


def with_filters(text: Query, filters: Filters) -> Query:
    """`text` restricted by every filter; filters do not score."""
    parts = [
        *_either("brand_key", [brand.casefold() for brand in filters.brands]),
        *_either("categories", [documents.category_key(category) for category in filters.categories]),
        *_spans("price_cents", filters.prices, include_upper=False),
        *_spans("rating_hundredths", filters.ratings, include_upper=True),
    ]
    for name, values in filters.attributes.items():
        keys = [documents.attribute_key(spelled, value) for spelled in documents.spellings(name) for value in values]
        parts += _either("attributes", keys)
    for field, wanted in (("prime", filters.prime), ("in_stock", filters.in_stock)):
        if wanted is not None:
            parts.append(Query.term_query(documents.schema(), field, wanted))
    if not parts:
        return text
    return Query.boolean_query(
        [(Occur.Must, text), *((Occur.Must, Query.const_score_query(part, 0.0)) for part in parts)]
    )


def scope_query(query: ProductQuery) -> Query:
    """The products of a list, whatever brand, price and rating it asks for."""
    parts: list[Query] = []
    if query.categories is not None:
        parts += _either("category", [str(category) for category in query.categories])
    if query.seller_id is not None:
        parts.append(Query.term_query(documents.schema(), "seller", str(query.seller_id)))
    for field, wanted in (("prime", query.prime), ("in_stock", query.in_stock)):
        if wanted is not None:
            parts.append(Query.term_query(documents.schema(), field, wanted))
    return _every(parts)


def choices_query(query: ProductQuery) -> Query | None:
    """The brand, price and rating that a list asks for; None when it asks for none."""
    parts = _either("brand", query.brands)
    if query.min_price is not None or query.max_price is not None:
        lowest = math.ceil((query.min_price or ZERO) * 100)
        highest = _NO_UPPER if query.max_price is None else math.floor(query.max_price * 100)
        parts.append(_between("price_cents", lowest, highest))
    if query.min_rating is not None:
        # By its shortest text: 1.1 times 100 is a little more than 110.
        parts.append(_between("rating_hundredths", math.ceil(Decimal(str(query.min_rating)) * 100), _NO_UPPER))
    return _every(parts) if parts else None


def both(one: Query, other: Query) -> Query:
    return Query.boolean_query([(Occur.Must, one), (Occur.Must, other)])


def _every(parts: Sequence[Query]) -> Query:
    if not parts:
        return Query.all_query()
    return parts[0] if len(parts) == 1 else Query.boolean_query([(Occur.Must, part) for part in parts])


def _between(field: str, lowest: int, highest: int) -> Query:
    """Both ends included."""
    if lowest > highest:
        return Query.empty_query()
    return Query.range_query(documents.schema(), field, tantivy.FieldType.Unsigned, lowest, highest)


@lru_cache(maxsize=4_096)
def _word(word: str) -> Query:
    """One word in its best field, the others as a tie-breaker."""
    return _best_field(
        [
            Query.boost_query(Query.term_query(documents.schema(), name, word), boost)
            for name, boost in documents.TEXT_FIELDS.items()
        ]
    )


def _forgiving_word(word: str) -> Query:
    if len(word) < MIN_CORRECTED:
        return _word(word)
    fuzzy = [
        Query.boost_query(Query.fuzzy_term_query(documents.schema(), name, word, distance=1), boost)
        for name, boost in documents.TEXT_FIELDS.items()
    ]
    return _best_field(fuzzy)


def _best_field(queries: Sequence[Query]) -> Query:
    return Query.disjunction_max_query(queries, tie_breaker=0.1)


def _phrase(words: Sequence[str]) -> Query | None:
    """Adjacent words in the title score higher than the same words apart."""
    if len(words) < 2:
        return None
    return Query.boost_query(Query.phrase_query(documents.schema(), "title", list(words), slop=1), 2.0)


def _all_of(parts: Sequence[Query], bonus: Query | None) -> Query:
    clauses = [(Occur.Must, part) for part in parts]
    if bonus is not None:
        clauses.append((Occur.Should, bonus))
    return Query.boolean_query(clauses)


def _either(field: str, values: Sequence[str]) -> list[Query]:
    return [Query.term_set_query(documents.schema(), field, list(values))] if values else []


def _spans(field: str, spans: Sequence[Span], *, include_upper: bool) -> list[Query]:
    if not spans:
        return []
    ranges = [
        Query.range_query(
            documents.schema(),
            field,
            tantivy.FieldType.Unsigned,
            documents.hundredths(span.lower or ZERO),
            _NO_UPPER if span.upper is None else documents.hundredths(span.upper),
            include_upper=include_upper or span.lower == span.upper,
        )
        for span in spans
    ]
    return [Query.boolean_query([(Occur.Should, part) for part in ranges])]


def matches(searcher: tantivy.Searcher, query: Query) -> bool:
    return bool(searcher.search(query, 1, count=False).hits)


def corrected(searcher: tantivy.Searcher, words: Sequence[str]) -> str:
    """The words with those that the index does not contain replaced by the most
    frequent title word one edit away, as stems."""
    return " ".join(word if searcher.doc_freq("title", word) else _nearest(searcher, word) for word in words)


def _nearest(searcher: tantivy.Searcher, word: str) -> str:
    neighbours = searcher.terms_with_prefix("title", word[:1], limit=100_000)
    near = [(count, term) for term, count in neighbours if one_edit(word, term)]
    return max(near, default=(0, word))[1]


def one_edit(one: str, other: str) -> bool:
    """Whether one insertion, deletion, replacement or swap turns `one` into `other`."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return one == other
    i = next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if len(one) == len(other):
        swapped = one[i + 1 : i + 2] + one[i] + one[i + 2 :]
        return one[i + 1 :] == other[i + 1 :] or swapped == other[i:]
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return longer[i + 1 :] == shorter[i:]


@cache
def _analyser() -> tantivy.TextAnalyzer:
    return documents.analyser()
