"""The index of a cluster: its fields, how their words are read, and how a product becomes one document.

Variants are nested: filters of prices and attributes ask for one variant that fulfils all of them.
"""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.kernel.pagination import MAX_LIMIT, MAX_PAGE
from api.search import documents
from api.search.documents import LONGEST_COUNTED
from api.search.suggestions import entries
from api.search.suggestions.entries import unkeyed
from api.search.texts import STEMMERS, CategoryNames, fields_in

Json = dict[str, Any]  # Any: JSON
# With every change of what is below, or of what `documents` says of a product.
VERSION = "1"
KEYWORDS = ("brand", "brand_key", "category", "categories", "seller", "attribute_names", "codes", "department")
# The cluster's own stemmers. Words of other scripts are stems already: the text rule has stemmed them.
_LATIN = frozenset(STEMMERS.values()) - {"arabic", "greek", "russian", "tamil"}


def index_body(languages: Languages) -> Json:
    """Settings and mappings of an index."""
    analysers: Json = {"souk_surface": {"type": "custom", "tokenizer": "whitespace"}}
    stems: Json = {}
    texts: Json = {}
    for place, language in enumerate(languages.known):
        name = STEMMERS.get(language.partition("-")[0])
        known = [] if name not in _LATIN else [f"souk_{name}"]
        stems |= {one: {"type": "snowball", "language": str(name).capitalize()} for one in known}
        analyser = f"souk_{language.lower()}"
        analysers[analyser] = {"type": "custom", "tokenizer": "whitespace", "filter": known}
        fields = fields_in(language if place else None)
        texts[fields.text] = texts[fields.title] = {"type": "text", "analyzer": analyser}
        texts[fields.surface] = {"type": "text", "analyzer": "souk_surface"}
    return {
        "settings": {
            # Counts of terms are exact within a shard.
            "number_of_shards": 1,
            # The writer says when what it wrote is to be seen.
            "refresh_interval": -1,
            "max_result_window": MAX_PAGE * MAX_LIMIT + 1,
            "analysis": {"filter": stems, "analyzer": analysers},
        },
        "mappings": {"dynamic": "strict", "properties": {**texts, **_PROPERTIES}},
    }


_KEYWORD = {"type": "keyword"}
_STORED = {"type": "object", "enabled": False}
_PROPERTIES: Json = {
    **dict.fromkeys(KEYWORDS, _KEYWORD),
    "product_id": _KEYWORD,
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
        "card": orjson.loads(cheapest["card"]),
        "titles": orjson.loads(cheapest.get("titles", "{}")),
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
