"""Filters, orders and counts as parts of a cluster's query language.

Every group is counted under all filters but its own: what needs other filters than the results is counted among all
products (`global`), in the same request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from api.catalog.facets import PRICE_RANGES, RATING_STEPS
from api.catalog.queries.counting import MAX_BRANDS
from api.catalog.queries.listing import ProductQuery
from api.search import documents
from api.search.engine.facets import MOST_VALUES
from api.search.engine.index import After, SearchQuery, Sort
from api.search.engine.matching import Cents, cents_of
from api.search.filters import Filters, Span
from api.search.opensearch.asking import any_of
from api.search.opensearch.schema import Json

# More categories than a result has.
MOST_GROUPS = 10_000
_ORDERS: dict[Sort, tuple[str, str]] = {
    "price_asc": ("variants.price_cents", "asc"),
    "price_desc": ("variants.price_cents", "desc"),
    "rating": ("rating_hundredths", "desc"),
    "newest": ("age", "desc"),
    "popularity": ("popularity", "desc"),
}
# The engine in process weighs a score by log2(2 + liked): this is the same but for a factor that all have.
_WEIGHED = {"field_value_factor": {"field": "liked", "modifier": "ln2p"}, "boost_mode": "multiply"}


def page(text: Json, query: SearchQuery) -> Json:
    """The request for a page of what `text` finds, under the filters."""
    chosen = of_variant(query.filters)
    cheapest = {"size": 1, "sort": [{"variants.price_cents": "asc"}], "_source": ["variants.price_cents"]}
    nested = {"nested": {"path": "variants", "query": chosen, "score_mode": "none", "inner_hits": cheapest}}
    wanted = {"bool": {"must": [text], "filter": [*of_product(query.filters), nested]}}
    body: Json = {
        "query": {"function_score": {"query": wanted, **_WEIGHED}},
        "size": query.limit + 1,
        "sort": _order(query, chosen),
        "track_total_hits": True,
        "_source": ["card", "titles"],
        "explain": query.explain,
    }
    if query.after is None:
        return {**body, "from": query.offset}
    return {**body, "search_after": [_value(query, query.after), query.after.tie]}


def sorted_by(query: SearchQuery) -> Sort:
    """Nothing is said of blank text but how popular a product is."""
    return "popularity" if query.sort == "relevance" and not query.text.strip() else query.sort


def _order(query: SearchQuery, chosen: Json) -> list[Json]:
    sort = sorted_by(query)
    if sort == "relevance":
        return [{"_score": "desc"}, {"tie": "asc"}]
    name, order = _ORDERS[sort]
    first: Json = {"order": order}
    if name.startswith("variants."):
        # What a product costs is the least price of the variants that are asked for, in either order.
        first |= {"mode": "min", "nested": {"path": "variants", "filter": chosen}}
    return [{name: first}, {"tie": "asc"}]


def _value(query: SearchQuery, after: After) -> float | int:
    return after.value if sorted_by(query) in {"relevance", "popularity"} else int(after.value)


def of_product(filters: Filters) -> list[Json]:
    """The filters that a product as a whole fulfils."""
    return [
        *_terms("brand_key", [documents.brand_term(brand) for brand in filters.brands]),
        *_terms("categories", [documents.category_key(category) for category in filters.categories]),
        *_terms("product_id", [str(product) for product in filters.products]),
        *_spans("rating_hundredths", filters.ratings),
        *_flags({"prime": filters.prime, "in_stock": filters.in_stock}),
    ]


def of_variant(filters: Filters) -> Json:
    """The filters that one variant fulfils."""
    facts: dict[str, list[str]] = {}
    for name, values in filters.attributes.items():
        facts.setdefault(documents.spelled(name), []).extend(documents.fact(name, value) for value in values)
    clauses = [one for terms in facts.values() for one in _terms("variants.facts", terms)]
    clauses += _spans("variants.price_cents", filters.prices)
    return {"bool": {"filter": clauses}} if clauses else {"match_all": {}}


def under(text: Json, filters: Filters) -> Json:
    """What a text finds under filters, without scores."""
    nested = {"nested": {"path": "variants", "query": of_variant(filters)}}
    return {"bool": {"filter": [text, *of_product(filters), nested]}}


def groups(text: Json, filters: Filters) -> tuple[Json, Json]:
    """The groups that are counted among the results, and those that are counted among all products."""
    alone = {
        "brands": replace(filters, brands=[]) if filters.brands else None,
        "categories": replace(filters, categories=[]) if filters.categories else None,
        "prices": replace(filters, prices=[]) if filters.prices else None,
        "ratings": replace(filters, ratings=[]) if filters.ratings else None,
    }
    together = {name: _group(name, filters) for name, others in {**alone, "values": None}.items() if others is None}
    apart = {name: others for name, others in alone.items() if others is not None}
    counted = {name: _apart(text, others, name) for name, others in apart.items()}
    for place, name in enumerate(asked_attributes(filters)):
        others = {one: chosen for one, chosen in filters.attributes.items() if documents.spelled(one) != name}
        counted[f"values{place}"] = _apart(text, replace(filters, attributes=others), "values")
    return together, counted


def asked_attributes(filters: Filters) -> list[str]:
    """The attributes that have a filter of their own, each in the first of its spellings."""
    return list(dict.fromkeys(map(documents.spelled, filters.attributes)))


def _apart(text: Json, others: Filters, name: str) -> Json:
    return {"filter": under(text, others), "aggs": {"in": _group(name, others)}}


def _group(name: str, filters: Filters) -> Json:
    if name == "brands":
        return {"terms": {"field": "brand_key", "size": MAX_BRANDS + 1}}
    if name == "categories":
        return {"terms": {"field": "category", "size": MOST_GROUPS}}
    if name == "ratings":
        return RATINGS
    if name == "prices":
        return of_variants("buckets", len(PRICE_RANGES), of_variant(replace(filters, prices=[])))
    return of_variants("values", MOST_VALUES, of_variant(filters))


def of_variants(field: str, size: int, chosen: Json) -> Json:
    """How many products have each term at a variant that is chosen."""
    terms = {"terms": {"field": f"variants.{field}", "size": size}, "aggs": {"products": {"reverse_nested": {}}}}
    return {"nested": {"path": "variants"}, "aggs": {"chosen": {"filter": chosen, "aggs": {"in": terms}}}}


RATINGS: Json = {
    "range": {
        "field": "rating_hundredths",
        "ranges": [{"key": str(step), "from": step * 100} for step in RATING_STEPS],
    }
}


def of_list(query: ProductQuery) -> list[Json]:
    """The filters of a list."""
    least = () if query.min_rating is None else [Span(Decimal(str(query.min_rating)), None)]
    asked = [] if query.min_price is query.max_price is None else [Span(query.min_price, query.max_price)]
    return [
        *_terms("brand", query.brands),
        *([] if query.categories is None else [{"terms": {"category": [str(one) for one in query.categories]}}]),
        *_terms("seller", [] if query.seller_id is None else [str(query.seller_id)]),
        *_spans("rating_hundredths", least),
        *_flags({"prime": query.prime, "in_stock": query.in_stock}),
        *({"nested": {"path": "variants", "query": one}} for one in _spans("variants.price_cents", asked)),
    ]


def spellings(term: str, most: int) -> Json:
    """How the shop spells a brand or a value: the most frequent of its spellings, as a group among all products. Not
    those of the values of an attribute that is called as a brand is."""
    start, name = term + documents.SEPARATOR, f"[^{documents.SEPARATOR}]*"
    names = documents.SEPARATOR.join([name] * (term.count(documents.SEPARATOR) + 1))
    only = {"terms": {"field": "spellings", "size": most, "include": _escaped(start) + names}}
    return {"filter": {"prefix": {"spellings": {"value": start}}}, "aggs": {"in": only}}


def _escaped(text: str) -> str:
    """A text in the cluster's regular expressions."""
    return "".join(f"\\{char}" if char in r'.?+*|{}[]()"\#@&<>~^$-' else char for char in text)


def _terms(field: str, values: Sequence[str]) -> list[Json]:
    return [{"terms": {field: list(values)}}] if values else []


def _flags(wanted: Mapping[str, bool | None]) -> list[Json]:
    return [{"term": {field: value}} for field, value in wanted.items() if value is not None]


def _spans(field: str, spans: Sequence[Span]) -> list[Json]:
    return [any_of([_between(field, cents_of(span)) for span in spans])] if spans else []


def _between(field: str, ends: Cents) -> Json:
    return {"range": {field: {"gte": ends[0], "lte": ends[1]}}}
