"""Builds engine queries from words and filters, without the engine's parser: a shopper's `-`,
`:` or quote is a character, not syntax."""

from collections.abc import Sequence
from functools import cache

import tantivy
from tantivy import Occur, Query

from api.kernel.money import ZERO
from api.search import documents
from api.search.filters import Filters, Span

MAX_WORDS = 20
# A corrected word must keep its first letter and be long enough to be recognised.
MIN_CORRECTED = 4
# The engine refuses a range whose upper end is both open and exclusive. This bound is above every amount in cents.
_NO_UPPER = 10**15


def text_query(index: tantivy.Index, searcher: tantivy.Searcher, text: str) -> tuple[Query, str | None]:
    """All words must match; if nothing does, all words with one typing error each; if nothing does, any word.

    Also returns the corrected text when the second step was needed.
    """
    if not text.strip():
        return Query.all_query(), None
    words = _analyser().analyze(text)[:MAX_WORDS]
    if not words:
        return Query.empty_query(), None
    schema = index.schema
    exact = _all_of([_word(schema, word) for word in words], _phrase(schema, words))
    if _matches(searcher, exact):
        return exact, None
    forgiving = _all_of([_forgiving_word(schema, word) for word in words], None)
    if _matches(searcher, forgiving):
        return forgiving, _corrected(searcher, words)
    return Query.boolean_query([(Occur.Should, _word(schema, word)) for word in words]), None


def with_filters(schema: tantivy.Schema, text: Query, filters: Filters) -> Query:
    """`text` restricted by every filter; filters do not score."""
    parts = [
        *_either(schema, "brand_key", [brand.casefold() for brand in filters.brands]),
        *_either(schema, "categories", [documents.category_key(category) for category in filters.categories]),
        *_spans(schema, "price_cents", filters.prices, include_upper=False),
        *_spans(schema, "rating_hundredths", filters.ratings, include_upper=True),
    ]
    for name, values in filters.attributes.items():
        parts += _either(schema, "attributes", [documents.attribute_key(name, value) for value in values])
    for field, wanted in (("prime", filters.prime), ("in_stock", filters.in_stock)):
        if wanted is not None:
            parts.append(Query.term_query(schema, field, wanted))
    if not parts:
        return text
    return Query.boolean_query(
        [(Occur.Must, text), *((Occur.Must, Query.const_score_query(part, 0.0)) for part in parts)]
    )


def _word(schema: tantivy.Schema, word: str) -> Query:
    """One word in its best field, the others as a tie-breaker."""
    return _best_field(
        [
            Query.boost_query(Query.term_query(schema, name, word), boost)
            for name, boost in documents.TEXT_FIELDS.items()
        ]
    )


def _forgiving_word(schema: tantivy.Schema, word: str) -> Query:
    if len(word) < MIN_CORRECTED:
        return _word(schema, word)
    fuzzy = [
        Query.boost_query(Query.fuzzy_term_query(schema, name, word, distance=1), boost)
        for name, boost in documents.TEXT_FIELDS.items()
    ]
    return _best_field(fuzzy)


def _best_field(queries: Sequence[Query]) -> Query:
    return Query.disjunction_max_query(queries, tie_breaker=0.1)


def _phrase(schema: tantivy.Schema, words: Sequence[str]) -> Query | None:
    """Adjacent words in the title score higher than the same words apart."""
    if len(words) < 2:
        return None
    return Query.boost_query(Query.phrase_query(schema, "title", list(words), slop=1), 2.0)


def _all_of(parts: Sequence[Query], bonus: Query | None) -> Query:
    clauses = [(Occur.Must, part) for part in parts]
    if bonus is not None:
        clauses.append((Occur.Should, bonus))
    return Query.boolean_query(clauses)


def _either(schema: tantivy.Schema, field: str, values: Sequence[str]) -> list[Query]:
    return [Query.term_set_query(schema, field, list(values))] if values else []


def _spans(schema: tantivy.Schema, field: str, spans: Sequence[Span], *, include_upper: bool) -> list[Query]:
    if not spans:
        return []
    ranges = [
        Query.range_query(
            schema,
            field,
            tantivy.FieldType.Unsigned,
            documents.hundredths(span.lower or ZERO),
            _NO_UPPER if span.upper is None else documents.hundredths(span.upper),
            include_upper=include_upper or span.lower == span.upper,
        )
        for span in spans
    ]
    return [Query.boolean_query([(Occur.Should, part) for part in ranges])]


def _matches(searcher: tantivy.Searcher, query: Query) -> bool:
    return bool(searcher.search(query, 1, count=False).hits)


def _corrected(searcher: tantivy.Searcher, words: Sequence[str]) -> str:
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
