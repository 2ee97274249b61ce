"""The shape of an indexed product: fields, analyser, and how a product becomes a document.

Changing it needs a new SCHEMA_VERSION.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from uuid import UUID

import orjson
import tantivy

from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct

SCHEMA_VERSION = "2"
ANALYSER = "souk_en"
# Boosts: a word in the title has three times the weight of one in the description.
TEXT_FIELDS = {"title": 3.0, "brand_text": 2.0, "category_text": 1.5, "description": 1.0, "attribute_text": 1.0}
# Names of attributes that a shopper and a seller may spell differently.
SPELLINGS = (
    ("color", "colour"),
    ("fiber", "fibre"),
    ("odor", "odour"),
    ("center", "centre"),
    ("aluminum", "aluminium"),
)


@cache
def schema() -> tantivy.Schema:
    """Text fields are for matching, raw ones for filters and facets, fast ones for sorting and counting."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("product_id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in TEXT_FIELDS:
        builder.add_text_field(name, tokenizer_name=ANALYSER)
    for name in ("brand", "brand_key", "category", "categories", "seller", "attributes"):
        builder.add_text_field(name, fast=name == "brand", tokenizer_name="raw", index_option="basic")
    for name in ("price_cents", "rating_hundredths", "review_count"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    builder.add_unsigned_field("age", fast=True)
    builder.add_float_field("popularity", fast=True)
    for name in ("prime", "in_stock"):
        builder.add_boolean_field(name, indexed=True)
    builder.add_text_field("department", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("card", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def analyser() -> tantivy.TextAnalyzer:
    """Words, without accents and case, in their English stem. Tokens over 40 characters are dropped."""
    steps = (
        tantivy.Filter.remove_long(40),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    )
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in steps:
        builder = builder.filter(step)
    return builder.build()


def popularity(product: IndexedProduct, units_sold: int) -> float:
    """A factor from 1 upwards on the text score: sales count most, views least.

    Coarse steps, so that a view is not a new document.
    """
    signal = units_sold + product.review_count + product.view_count / 20
    return round(1 + math.log1p(signal) / 5, 1)


def fields_of(product: IndexedProduct, units_sold: int) -> dict[str, object]:
    """Field values of a live product."""
    attributes = sorted({(key, str(value)) for key, value in _attributes(product)})
    return {
        "product_id": str(product.product_id),
        "title": product.title,
        "brand_text": product.brand or "",
        "category_text": product.category_path.replace("/", " "),
        "description": product.description or "",
        "attribute_text": " ".join(f"{key} {value}" for key, value in attributes),
        "brand": [product.brand] if product.brand else [],
        "brand_key": [product.brand.casefold()] if product.brand else [],
        "category": str(product.category_id),
        "seller": str(product.seller_id),
        "department": department_of(product.category_path),
        "categories": category_keys(product.category_id, product.category_path),
        "attributes": [attribute_key(key, value) for key, value in attributes],
        "price_cents": hundredths(product.price),
        "rating_hundredths": hundredths(product.rating),
        "review_count": product.review_count,
        # The first 48 bits of a UUIDv7 are its time in milliseconds; loaded products sort by the time in their own ids.
        "age": product.product_id.int >> 80,
        "popularity": popularity(product, units_sold),
        "prime": product.prime_eligible,
        "in_stock": product.in_stock,
        "card": card_of(product),
    }


def card_of(product: IndexedProduct) -> str:
    """The JSON of a SearchResultItem, written without checking it."""
    shown = {
        "productId": product.product_id,
        "title": product.title,
        "brand": product.brand,
        "price": float(product.price),
        "currency": product.currency,
        "rating": float(product.rating),
        "reviewCount": product.review_count,
        "thumbnail": product.thumbnail,
        "primeEligible": product.prime_eligible,
        "inStock": product.in_stock,
        "sponsored": False,
    }
    return orjson.dumps(shown).decode()


def document(fields: dict[str, object]) -> tantivy.Document:
    """The engine's document; the schema decides the number types."""
    return tantivy.Document.from_dict(fields, schema())


def departments(searcher: tantivy.Searcher, product_id: UUID) -> list[str]:
    """Where the index has the product; empty when it has not."""
    found = searcher.search(tantivy.Query.term_query(schema(), "product_id", str(product_id)), 1, count=False)
    return [str(searcher.doc(address).get_first("department")) for _, address in found.hits]


def digest(fields: dict[str, object]) -> bytes:
    """Equal for equal documents: a stock change that leaves a product in stock needs no write."""
    return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=16).digest()


def hundredths(value: Decimal) -> int:
    """A price or rating as the whole number that the index holds and that filters and facets ask for."""
    return int(value * 100)


def category_keys(category_id: UUID, path: str) -> list[str]:
    """The keys of a category filter: the id, path and name of the category and of its ancestors, in lower case."""
    parts = path.strip("/").casefold().split("/")
    paths = ["/" + "/".join(parts[: i + 1]) for i in range(len(parts))]
    return [str(category_id), *paths, *parts]


def category_key(value: str) -> str:
    """The key that a filter value asks for; `Home > Garden` is a path too."""
    folded = value.casefold().replace(" > ", "/")
    return "/" + folded.strip("/") if "/" in folded else folded


def spellings(name: str) -> list[str]:
    """The names that mean the same: as it was typed first."""
    folded = name.casefold()
    same = next((words for words in SPELLINGS if folded in words), ())
    return [folded, *(word for word in same if word != folded)]


def attribute_key(name: str, value: str) -> str:
    """One attribute as a single term."""
    return f"{name.casefold()}={value.casefold()}"


def _attributes(product: IndexedProduct) -> Iterable[tuple[str, object]]:
    for source in (product.specifications, *product.variants):
        for key, value in source.items():
            if isinstance(value, list):
                yield from ((key, item) for item in value)
            elif value is not None:
                yield key, value
