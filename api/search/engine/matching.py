"""Builds engine queries from filters, without the engine's parser: a shopper's `-`, `:` or quote is a character, not
syntax."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import product

import tantivy
from tantivy import Occur, Query

from api.catalog.queries.listing import ProductQuery
from api.kernel.languages import Languages
from api.kernel.money import ZERO
from api.search import documents
from api.search.filters import Filters, Span
from api.search.texts import Tongue

# To ask for each choice of one term of each word takes less than to look for all terms of a pattern.
MAX_PHRASES = 32
# Above every amount in cents.
_NO_UPPER = 10**documents.CENTS_DIGITS - 1
_NONE = Filters()
# From one to another, both too.
Cents = tuple[int, int]


@cache
def tongue(languages: Languages, language: str | None) -> Tongue:
    """How a reader of a language is understood; None: of the shop's own."""
    return Tongue(languages, language or languages.own, documents.schema(languages.known))


def with_filters(searcher: tantivy.Searcher, text: Query, filters: Filters) -> Query:
    """`text` restricted by every filter, and to one document of each product; filters do not score."""
    wanted = Wanted.of(searcher, filters.attributes) if filters.attributes else None
    return _scored(text, [*_of_product(filters), *once(map(cents_of, filters.prices), wanted)])


def without(text: Query, unwanted: Sequence[Query]) -> Query:
    """`text` without what one of these finds."""
    if not unwanted:
        return text
    return Query.boolean_query([(Occur.Must, text), *((Occur.MustNot, one) for one in unwanted)])


def at_every_price(searcher: tantivy.Searcher, text: Query, filters: Filters) -> Query:
    """As `with_filters`, but at every price of a product at which it has a variant with the attributes."""
    chosen = Wanted.of(searcher, filters.attributes).among("facts")
    return _scored(text, [*_of_product(filters), (Occur.Must, Query.const_score_query(chosen, 0.0))])


def at_prices(text: Query, filters: Filters, cheaper_than: int | None = None) -> Query:
    """As `with_filters` without attributes, but at every price of a product that is asked for; `cheaper_than`: of those
    that have a price below so many cents too."""
    clauses = [*_of_product(filters), *_all_within("price_cents", [cents_of(span) for span in filters.prices])]
    if cheaper_than is not None:
        clauses += _all_within("lower_cents", [(0, cheaper_than - 1)])
    return _scored(text, clauses)


def lowest_asked(filters: Filters) -> int | None:
    """In cents, where the prices that are asked for are one range; None where they are several."""
    spans = sorted(map(cents_of, filters.prices))
    reached = spans[0][1]
    for low, high in spans[1:]:
        if low > reached + 1:
            return None
        reached = max(reached, high)
    return spans[0][0]


def _all_within(field: str, spans: Sequence[Cents]) -> list[tuple[Occur, Query]]:
    return [(Occur.Must, Query.const_score_query(part, 0.0)) for part in _any_span(field, spans)]


def again_in_range(searcher: tantivy.Searcher, query: Query, filters: Filters) -> Query:
    """Of the documents of `at_every_price`, those whose first range of prices has a cheaper one of their product too,
    at which it has a variant with the attributes."""
    cheaper = Wanted.of(searcher, filters.attributes).among("lower_facts", [documents.NEAR])
    return _scored(query, [(Occur.Must, cheaper)])


def _of_product(filters: Filters) -> list[tuple[Occur, Query]]:
    if filters == _NONE:  # as most searches
        return []
    parts = [
        *_either("brand_key", [documents.brand_term(brand) for brand in filters.brands]),
        *_either("categories", [documents.category_key(category) for category in filters.categories]),
        *_either("product_id", [str(product) for product in filters.products]),
        *_any_span("rating_hundredths", [cents_of(span) for span in filters.ratings]),
        *_flags({"prime": filters.prime, "in_stock": filters.in_stock}),
    ]
    return [(Occur.Must, Query.const_score_query(part, 0.0)) for part in parts]


def _scored(query: Query, clauses: Sequence[tuple[Occur, Query]]) -> Query:
    return Query.boolean_query([(Occur.Must, query), *clauses])


def list_query(query: ProductQuery) -> Query:
    """What a list holds."""
    parts = _either("brand", query.brands)
    if query.categories is not None:
        parts += _either("category", [str(category) for category in query.categories])
    if query.seller_id is not None:
        parts.append(Query.term_query(documents.schema(), "seller", str(query.seller_id)))
    parts += _flags({"prime": query.prime, "in_stock": query.in_stock})
    if query.min_rating is not None:
        # By its shortest text: 1.1 times 100 is a little more than 110.
        parts.append(_between("rating_hundredths", math.ceil(Decimal(str(query.min_rating)) * 100), _NO_UPPER))
    asked = [] if query.min_price is query.max_price is None else [Span(query.min_price, query.max_price)]
    required = parts or [Query.all_query()]
    return Query.boolean_query([*((Occur.Must, part) for part in required), *once(map(cents_of, asked))])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Variants that are asked for. `words`: by attribute, the terms of the values of which one must have one."""

    searcher: tantivy.Searcher
    words: Sequence[Sequence[str]]

    @classmethod
    def of(cls, searcher: tantivy.Searcher, attributes: Mapping[str, Sequence[str]]) -> "Wanted":
        facts: dict[str, list[str]] = {}
        for name, values in attributes.items():
            facts.setdefault(documents.spelled(name), []).extend(documents.fact(name, value) for value in values)
        return cls(searcher, list(facts.values()))

    def among(self, field: str, *further: Sequence[str]) -> Query:
        """The documents that have one among the variants of `field`, which has one of each of `further` terms too.

        What all variants of a document have, wherever any has it, is asked of the document: only of the other terms
        the places are compared, which takes several times as long.
        """
        words = [*self.words, *further]
        if not all(words):
            return Query.empty_query()
        if len(words) == 1:
            return _any_term(field, words[0])
        of_all = documents.of_all(field)
        shared = [terms for terms in words if all(self._as_often(field, of_all, term) for term in terms)]
        parts = [_any_term(of_all, terms) for terms in shared]
        if own := [terms for terms in words if terms not in shared]:
            parts.append(_together(field, own))
        return Query.boolean_query([(Occur.Must, part) for part in parts])

    def _as_often(self, one: str, other: str, term: str) -> bool:
        return self.searcher.doc_freq(one, term) == self.searcher.doc_freq(other, term)


def once(prices: Iterable[Cents], wanted: Wanted | None = None) -> list[tuple[Occur, Query]]:
    """The clauses that choose, of the documents of each product, the cheapest one with a variant that is wanted and
    costs what one of `prices` allows; none when the product has no such variant.

    A document has the variants of one price, so what remains to be said is that none of the cheaper ones would do.
    """
    spans = list(prices)
    if not spans and wanted is None:
        # Fewer documents are of dearer prices: to leave those out takes less than to look for the others.
        return [(Occur.MustNot, Query.term_query(documents.schema(), "lowest", False))]
    chosen = _any_span("price_cents", spans)
    if wanted is None:
        cheaper = _any_span("lower_cents", spans)
    elif not spans:
        chosen, cheaper = [wanted.among("facts")], [wanted.among("lower_facts")]
    else:
        chosen.append(wanted.among("facts"))
        cheaper = [wanted.among("lower_facts", documents.span_prefixes(*span)) for span in spans]
    return [
        *((Occur.Must, Query.const_score_query(part, 0.0)) for part in chosen),
        *((Occur.MustNot, part) for part in cheaper),
    ]


def _together(field: str, words: Sequence[Sequence[str]]) -> Query:
    """One variant has a term of each of `words`, which are letters and digits."""
    if len(words) == 1:
        return _any_term(field, words[0])
    if math.prod(map(len, words)) > MAX_PHRASES:
        return Query.regex_phrase_query(documents.schema(), field, [(0, "|".join(terms)) for terms in words])
    phrases = [
        Query.phrase_query(documents.schema(), field, [(0, term) for term in terms]) for terms in product(*words)
    ]
    return phrases[0] if len(phrases) == 1 else Query.boolean_query([(Occur.Should, phrase) for phrase in phrases])


def _flags(wanted: Mapping[str, bool | None]) -> list[Query]:
    return [Query.term_query(documents.schema(), field, value) for field, value in wanted.items() if value is not None]


def cents_of(span: Span) -> Cents:
    """The whole hundredths within a span."""
    upper = _NO_UPPER if span.upper is None else math.floor(span.upper * 100)
    return math.ceil((span.lower or ZERO) * 100), upper


def _between(field: str, lowest: int, highest: int) -> Query:
    """Both ends included."""
    if lowest > highest:
        return Query.empty_query()
    return Query.range_query(documents.schema(), field, tantivy.FieldType.Unsigned, lowest, highest)


def _either(field: str, values: Sequence[str]) -> list[Query]:
    return [_any_term(field, values)] if values else []


def _any_term(field: str, values: Sequence[str]) -> Query:
    """Not the engine's own set of terms, which takes it a quarter of a millisecond."""
    terms = [Query.term_query(documents.schema(), field, value) for value in values]
    return terms[0] if len(terms) == 1 else Query.boolean_query([(Occur.Should, term) for term in terms])


def _any_span(field: str, spans: Sequence[Cents]) -> list[Query]:
    if not spans:
        return []
    ranges = [_between(field, *span) for span in spans]
    return [ranges[0] if len(ranges) == 1 else Query.boolean_query([(Occur.Should, part) for part in ranges])]


def matches(searcher: tantivy.Searcher, query: Query) -> bool:
    return bool(searcher.search(query, 1, count=False).hits)
