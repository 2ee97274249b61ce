"""The shape of an indexed product: fields, and how a product becomes documents: one for each price at which it is
offered (a price point). A query finds at most one document of a product; `matching.once` says which.

Changing it needs a new SCHEMA_VERSION.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import orjson
import tantivy

from api.catalog.facets import price_buckets
from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search.texts import (
    NO_NAMES,
    SHOP,
    TEXT_FIELDS,
    CategoryNames,
    analyser_name,
    fields_in,
    texts_of,
    titles_of,
)

SCHEMA_VERSION = "5"
# What is true of one variant has one position: of the variants of the document, and of the cheaper ones.
FACTS = ("facts", "lower_facts")
CENTS_DIGITS = 12
# Names of attributes that a shopper and a seller may spell differently.
SPELLINGS = (
    ("color", "colour"),
    ("fiber", "fibre"),
    ("odor", "odour"),
    ("center", "centre"),
    ("aluminum", "aluminium"),
)


@cache
def schema(languages: tuple[str, ...] = SHOP.known) -> tantivy.Schema:
    """Text fields are for matching, raw ones for filters and facets, fast ones for sorting and counting. Those of
    further languages come last, so the others are the same in every schema."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("product_id", stored=True, tokenizer_name="raw", index_option="basic")
    for name in TEXT_FIELDS:
        builder.add_text_field(name, tokenizer_name=analyser_name(languages[0]))
    for name in ("brand", "brand_key", "category", "categories", "seller", "attribute_names"):
        builder.add_text_field(name, fast=name == "brand", tokenizer_name="raw", index_option="basic")
    for name in FACTS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="position")
    for name in ("price_cents", "lower_cents", "rating_hundredths", "review_count"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    # Of all prices of the product, and of the document's own.
    builder.add_unsigned_field("price_buckets", stored=True, fast=True)
    builder.add_unsigned_field("own_buckets", indexed=True, fast=True)
    builder.add_unsigned_field("age", fast=True)
    builder.add_float_field("popularity", fast=True)
    for name in ("prime", "in_stock", "lowest"):
        builder.add_boolean_field(name, indexed=True)
    builder.add_text_field("department", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("card", "titles"):
        builder.add_text_field(name, stored=True, tokenizer_name="raw", index_option="basic")
    for language in languages[1:]:
        for name in fields_in(language):
            builder.add_text_field(name, tokenizer_name=analyser_name(language))
    return builder.build()


def popularity(product: IndexedProduct, units_sold: int) -> float:
    """A factor from 1 upwards on the text score: sales count most, views least.

    Coarse steps, so that a view is not a new document.
    """
    signal = units_sold + product.review_count + product.view_count / 20
    return round(1 + math.log1p(signal) / 5, 1)


def fields_of(
    product: IndexedProduct, units_sold: int, languages: Languages = SHOP, names: CategoryNames = NO_NAMES
) -> list[dict[str, Any]]:  # Any: values of several types
    """Field values of a live product's documents, the cheapest first; of FACTS a list by variant."""
    specifications = list(_pairs(product.specifications))
    by_price: dict[Decimal, list[list[tuple[str, str]]]] = {}
    for variant in product.variants:
        pairs = sorted({*specifications, *_pairs(variant["attributes"])})
        by_price.setdefault(Decimal(variant["price"]), []).append(pairs)
    prices = sorted(by_price)
    attributes = sorted({pair for variants in by_price.values() for pairs in variants for pair in pairs})
    own = {
        "title": product.title,
        "brand_text": product.brand or "",
        "category_text": product.category_path.replace("/", " "),
        "description": product.description or "",
        "attribute_text": " ".join(f"{key} {value}" for key, value in attributes),
    }
    titles = titles_of(product, languages)
    shared = {
        **texts_of(product, own, languages, names),
        **({"titles": orjson.dumps(titles).decode()} if titles else {}),
        "product_id": str(product.product_id),
        "brand": [product.brand] if product.brand else [],
        "brand_key": [product.brand.casefold()] if product.brand else [],
        "category": str(product.category_id),
        "seller": str(product.seller_id),
        "department": department_of(product.category_path),
        "categories": category_keys(product.category_id, product.category_path),
        "attribute_names": sorted({name.casefold() for name, _ in attributes}),
        "rating_hundredths": hundredths(product.rating),
        "review_count": product.review_count,
        # The first 48 bits of a UUIDv7 are its time in milliseconds; loaded products sort by the time in their own ids.
        "age": product.product_id.int >> 80,
        "popularity": popularity(product, units_sold),
        "prime": product.prime_eligible,
        "in_stock": product.in_stock,
        "price_buckets": price_buckets(prices),
    }
    facts = {price: [[fact(*pair) for pair in pairs] for pairs in by_price[price]] for price in prices}
    return [
        shared
        | {
            "lowest": price == prices[0],
            "price_cents": hundredths(price),
            "own_buckets": price_buckets([price]),
            "lower_cents": [hundredths(lower) for lower in prices[:i]],
            "facts": facts[price],
            "lower_facts": [[*known, *price_terms(lower)] for lower in prices[:i] for known in facts[lower]],
            "card": card_of(product, price, titles, languages),
        }
        for i, price in enumerate(prices)
    ]


def card_of(product: IndexedProduct, price: Decimal, titles: Mapping[str, str], languages: Languages) -> str:
    """The JSON of a SearchResultItem for a reader of the shop's own language, written without checking it."""
    title, language = shown_title(titles or {languages.own: product.title}, languages.own)
    shown = {
        "productId": product.product_id,
        "title": title,
        "titleLanguage": language,
        "brand": product.brand,
        "price": float(price),
        "currency": product.currency,
        "rating": float(product.rating),
        "reviewCount": product.review_count,
        "thumbnail": product.thumbnail,
        "primeEligible": product.prime_eligible,
        "condition": product.condition,
        "inStock": product.in_stock,
        "sponsored": False,
    }
    return orjson.dumps(shown).decode()


def shown_title(titles: Mapping[str, str], language: str) -> tuple[str, str | None]:
    """The title for a reader of a language, and its own where that is another. `titles`: as `titles_of`."""
    if language in titles:
        return titles[language], None
    own = next(iter(titles))
    return titles[own], own


def document(
    fields: Mapping[str, Any], languages: tuple[str, ...] = SHOP.known
) -> tantivy.Document:  # Any: as fields_of
    """The engine's document; the schema decides the number types."""
    made = tantivy.Document.from_dict({name: fields[name] for name in fields if name not in FACTS}, schema(languages))
    for name in FACTS:
        tokens = [tantivy.Token(fact, place, 0, 0) for place, facts in enumerate(fields[name]) for fact in facts]
        if tokens:
            made.add_pre_tokenized_text(name, tantivy.PreTokenizedString("", tokens))
    return made


def departments(searcher: tantivy.Searcher, product_id: UUID) -> list[str]:
    """Where the index has the product; empty when it has not."""
    found = searcher.search(tantivy.Query.term_query(schema(), "product_id", str(product_id)), 1, count=False)
    return [str(searcher.doc(address).get_first("department")) for _, address in found.hits]


def digest(fields: Sequence[Mapping[str, Any]]) -> bytes:  # Any: as fields_of
    """Equal for equal documents: a stock change that leaves a variant in stock needs no write."""
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


def spelled(name: str) -> str:
    """The name of an attribute in the first of its spellings."""
    folded = name.casefold()
    return next((words[0] for words in SPELLINGS if folded in words), folded)


def spellings(name: str) -> list[str]:
    """The names that mean the same: as it was typed first."""
    folded = name.casefold()
    same = next((words for words in SPELLINGS if folded in words), ())
    return [folded, *(word for word in same if word != folded)]


def fact(name: str, value: str) -> str:
    """An attribute's value as a term of letters and digits, whatever characters and however many it has."""
    said = json.dumps([spelled(name), value.casefold()])
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def price_terms(price: Decimal) -> list[str]:
    """The terms of a price: of its buckets, and prefixes, so that each span of prices is the union of a few terms
    (`span_prefixes`)."""
    digits = f"{hundredths(price):0{CENTS_DIGITS}}"
    prefixes = (f"={digits[:length]}" for length in range(1, CENTS_DIGITS + 1))
    return [*map(bucket_term, price_buckets([price])), *prefixes]


def bucket_term(bucket: int) -> str:
    return f"bucket{bucket}"


def span_prefixes(lowest: int, highest: int) -> list[str]:
    """The fewest prefixes of `price_terms` that all prices in cents from `lowest` to `highest` have one of, and no
    other."""
    found = []
    while lowest <= highest:
        length, size = CENTS_DIGITS, 1
        while length > 1 and lowest % (size * 10) == 0 and lowest + size * 10 - 1 <= highest:
            length, size = length - 1, size * 10
        found.append(f"={lowest // size:0{length}}")
        lowest += size
    return found


def _pairs(source: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    for key, value in source.items():
        if isinstance(value, list):
            yield from ((key, str(item)) for item in value)
        elif value is not None:
            yield key, str(value)
