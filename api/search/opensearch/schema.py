"""The index of a cluster: its fields, and how a product becomes one document. Its words are the text rule's and their
stems ours, so the cluster only separates them.

Variants are nested: filters of prices and attributes ask for one variant that fulfils all of them.
"""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson

from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.kernel.pagination import MAX_LIMIT, MAX_PAGE
from api.search import documents
from api.search.documents import LONGEST_COUNTED
from api.search.suggestions import entries
from api.search.suggestions.entries import unkeyed
from api.search.texts import CategoryNames, fields_in, titles_of

Json = dict[str, Any]  # Any: JSON
# With every change of what is below, or of what `documents` says of a product.
VERSION = "2"
KEYWORDS = ("brand", "brand_key", "category", "categories", "seller", "attribute_names", "codes")
_WORDS = {"type": "text", "analyzer": "whitespace"}


def index_body(languages: Languages) -> Json:
    """Settings and mappings of an index."""
    texts = [name for place, one in enumerate(languages.known) for name in fields_in(one if place else None).all]
    return {
        "settings": {
            # Counts of terms are exact within a shard.
            "number_of_shards": 1,
            # The writer says when what it wrote is to be seen.
            "refresh_interval": -1,
            "max_result_window": MAX_PAGE * MAX_LIMIT + 1,
        },
        "mappings": {"dynamic": "strict", "properties": {**dict.fromkeys(texts, _WORDS), **_PROPERTIES}},
    }


_KEYWORD = {"type": "keyword"}
_STORED = {"type": "object", "enabled": False}
_PROPERTIES: Json = {
    **dict.fromkeys(KEYWORDS, _KEYWORD),
    "product_id": _KEYWORD,
    "department": _KEYWORD,
    "spellings": _KEYWORD,
    "rating_hundredths": {"type": "long"},
    "age": {"type": "long"},
    "tie": {"type": "long"},
    "popularity": {"type": "float"},
    "liked": {"type": "float"},
    "prime": {"type": "boolean"},
    "in_stock": {"type": "boolean"},
    "card": _STORED,
    "titles": _STORED,
    "completions": _STORED,
    "variants": {
        "type": "nested",
        "properties": {
            "price_cents": {"type": "long"},
            "buckets": {"type": "byte"},
            "facts": _KEYWORD,
            "values": _KEYWORD,
        },
    },
}
_SHARED = ("product_id", "rating_hundredths", "age", "tie", "popularity", "liked", "prime", "in_stock")


def form_of(languages: Languages) -> str:
    """Another one for an index of other fields: of one of another form nothing is read."""
    said = orjson.dumps([documents.SCHEMA_VERSION, VERSION, index_body(languages)], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(said, digest_size=5).hexdigest()


def document(product: IndexedProduct, units_sold: int, languages: Languages, names: CategoryNames) -> Json:
    """The document of a live product."""
    cheapest = documents.fields_of(product, units_sold, languages, names)[0]
    texts = [name for place, one in enumerate(languages.known) for name in fields_in(one if place else None).all]
    return {
        **{name: cheapest[name] for name in (*texts, *KEYWORDS, *_SHARED, "spellings") if name in cheapest},
        "department": department_of(product.category_path),
        "card": orjson.loads(cheapest["card"]),
        "titles": titles_of(product, languages),
        "completions": _completions(product, cheapest["popularity"], languages, names),
        "variants": list(_variants(product)),
    }


def _variants(product: IndexedProduct) -> Iterable[Json]:
    specifications = list(documents.attribute_pairs(product.specifications))
    for variant in product.variants:
        price = Decimal(variant["price"])
        own = dict.fromkeys([*specifications, *documents.attribute_pairs(variant["attributes"])])
        yield {
            "price_cents": documents.hundredths(price),
            "buckets": documents.buckets(price),
            "facts": sorted({documents.fact(*pair) for pair in own}),
            "values": sorted({documents.value_term(*pair) for pair in own if len(pair[1]) <= LONGEST_COUNTED}),
        }


def _completions(product: IndexedProduct, popularity: float, languages: Languages, names: CategoryNames) -> list[Json]:
    """By title: the languages of its readers, and its phrases, those first that are phrases of one product alone."""
    return [
        {
            "text": title.text,
            "readers": title.readers,
            "heads": [unkeyed(key) for key in title.heads],
            "parts": [unkeyed(key) for key in title.parts],
        }
        for title in sorted(entries.said(product, popularity, languages, names).titles, key=lambda one: one.text)
    ]
