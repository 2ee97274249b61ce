"""The shape of an indexed product: fields, and how a product becomes documents: one for each price at which it is
offered (a price point). A query finds at most one document of a product; `matching.once` says which.

Changing it needs a new SCHEMA_VERSION.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import tantivy

from api.catalog.brands.keys import key_of
from api.catalog.facets import price_buckets
from api.catalog.queries.categories import department_of
from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search import weights
from api.search.text import folded_code
from api.search.texts import (
    NO_NAMES,
    NOT_SEARCHED,
    SHOP,
    STEMS,
    SURFACE,
    CategoryNames,
    Fields,
    fields_in,
    paths_of,
    texts_of,
    titles_of,
)

SCHEMA_VERSION = "12"
COUNTED = ("brand", "brand_key", "category")
# What is true of one variant has one position: of the variants of the document, and of the cheaper ones.
FACTS = ("facts", "lower_facts")
# The fact of a cheaper variant that has a price in a range in which the document's own is too.
NEAR = "near"
CENTS_DIGITS = 12
# Between the name and the value of an attribute, and before one of their spellings. No key has it.
SEPARATOR = "\x1f"
# A longer value is found by a filter, but nobody chooses it from a list.
LONGEST_COUNTED = 100
# Attributes have few names and values: so many of them, categories and prices are made once.
KEPT = 20_000
# Names of attributes that a shopper and a seller may spell differently.
SPELLINGS = (
    ("color", "colour"),
    ("fiber", "fibre"),
    ("odor", "odour"),
    ("center", "centre"),
    ("aluminum", "aluminium"),
)

# Values that say nothing without the name of their attribute.
_TRUTHS = frozenset({"true", "false"})


@cache
def schema(languages: tuple[str, ...] = SHOP.known) -> tantivy.Schema:
    """Text fields are for matching, raw ones for filters and facets, fast ones for sorting and counting. Those of
    further languages come last, so the others are the same in every schema."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("product_id", tokenizer_name="raw", index_option="basic")
    _add_texts(builder, fields_in(None))
    for name in ("brand", "brand_key", "category", "categories", "seller", "attribute_names", "codes"):
        builder.add_text_field(name, fast=name in COUNTED, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("values", fast=True, tokenizer_name="raw", index_option="basic")
    # Of the document's own variants: values that no cheaper one has, and the others after the nearest price at which
    # one has them.
    for name in ("new_values", "again_values"):
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    # In the document of the lowest price alone, so that each product is in it once.
    builder.add_text_field("spellings", tokenizer_name="raw", index_option="basic")
    for name in FACTS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="position")
        builder.add_text_field(of_all(name), tokenizer_name="raw", index_option="basic")
    # Ranges of numbers are asked of their columns.
    for name in ("price_cents", "lower_cents", "rating_hundredths"):
        builder.add_unsigned_field(name, fast=True)
    # Of all prices of the product, and of the document's own.
    builder.add_unsigned_field("price_buckets", fast=True)
    builder.add_unsigned_field("own_buckets", fast=True)
    # The first of its own: the only one in which a cheaper price can be too, because ranges meet in their ends.
    builder.add_unsigned_field("first_bucket", fast=True)
    builder.add_unsigned_field("age", fast=True)
    for name in ("popularity", "liked"):
        builder.add_float_field(name, fast=True)
    # The order of what is sorted by equal values: that of the ids, whatever document a product is in.
    builder.add_unsigned_field("tie", fast=True)
    for name in ("prime", "in_stock", "lowest"):
        builder.add_boolean_field(name, indexed=True)
    # What is stored: fewer fields are read in less time.
    for name in ("card", "rest"):
        builder.add_text_field(name, stored=True, tokenizer_name=NOT_SEARCHED, index_option="basic")
    for language in languages[1:]:
        _add_texts(builder, fields_in(language))
    return builder.build()


def _add_texts(builder: tantivy.SchemaBuilder, names: Fields) -> None:
    """Of titles alone the places of words are asked."""
    builder.add_text_field(names.text, tokenizer_name=STEMS, index_option="freq")
    builder.add_text_field(names.title, tokenizer_name=STEMS)
    builder.add_text_field(names.surface, tokenizer_name=SURFACE, index_option="basic")


def popularity(product: IndexedProduct, units_sold: int) -> float:
    """From 1 upwards: sales count most, views least.

    Coarse steps, so that a view is not a new document.
    """
    return _popularity(units_sold + product.review_count + product.view_count / 20)


@lru_cache(KEPT)
def _popularity(signal: float) -> float:
    return round(1 + math.log1p(signal) / 5, 1)


@lru_cache(KEPT)
def liked(popular: float) -> float:
    """The factor of a popularity on the text score, from 1 to weights.MOST_POPULAR."""
    share = min((popular - 1) / (weights.POPULAR_AT - 1), 1.0)
    return round(1 + (weights.MOST_POPULAR - 1) * share, 3)


class Rest(NamedTuple):
    """What a document stores but its card. `brand` and `values` are terms, `prices` the buckets of all that the product
    is offered at, `titles` by language, its own first."""

    product_id: str
    brand: str | None
    category: str
    department: str
    values: list[str]
    prices: list[int]
    rating: float
    titles: dict[str, str]

    @classmethod
    def of(cls, stored: tantivy.Document) -> "Rest":
        return cls(*orjson.loads(str(stored.get_first("rest"))))


@dataclass(frozen=True, slots=True)
class _Value:
    """An attribute's value in the forms that documents have. `spelling`: None where it is too long to be listed."""

    pair: tuple[str, str]
    fact: str
    term: str
    key: str
    spelling: str | None

    @classmethod
    def of(cls, name: str, value: str) -> "_Value":
        term = value_term(name, value)
        spelling = SEPARATOR.join((term, name, value)) if len(value) <= LONGEST_COUNTED else None
        return cls((name, value), fact(name, value), term, key_of(name), spelling)


_value = lru_cache(KEPT)(_Value.of)


def fields_of(
    product: IndexedProduct, units_sold: int, languages: Languages = SHOP, names: CategoryNames = NO_NAMES
) -> list[dict[str, Any]]:  # Any: values of several types
    """Field values of a live product's documents, the cheapest first; of FACTS a list by variant."""
    offers = _offers(product)
    brand, of_brand, spelling = _of_brand(product.brand)
    popular = popularity(product, units_sold)
    titles = titles_of(product, languages)
    product_id, category = str(product.product_id), _of_category(product.category_id, product.category_path)
    rest = Rest(
        product_id,
        brand,
        category["category"],
        department_of(product.category_path),
        offers.shared["values"],
        offers.shared["price_buckets"],
        float(product.rating),
        titles or {languages.own: product.title},
    )
    shared = {
        **texts_of(product, offers.values, languages, names),
        **category,
        **of_brand,
        **offers.shared,
        "product_id": product_id,
        "seller": _text(product.seller_id),
        "rating_hundredths": hundredths(product.rating),
        # The first 48 bits of a UUIDv7 are its time in milliseconds; loaded products sort by the time in their own ids.
        "age": product.product_id.int >> 80,
        "tie": tie_of(product.product_id),
        "popularity": popular,
        "liked": liked(popular),
        "codes": list(dict.fromkeys(filter(None, map(folded_code, product.codes)))),
        "prime": product.prime_eligible,
        "in_stock": product.in_stock,
        "rest": orjson.dumps(tuple(rest)).decode(),
    }
    return [
        {
            **shared,
            **at_price,
            "spellings": [*spelling, *offers.spellings] if at_price["lowest"] else [],
            "card": card_of(product, price, titles, languages),
        }
        for price, at_price in offers.at_prices
    ]


@dataclass(frozen=True, slots=True)
class _Offers:
    """What the variants of a product are, and what they cost. `values`: those that say something without the names of
    their attributes; `shared`: fields of all documents, `at_prices` those of each price, the cheapest first."""

    values: tuple[str, ...]
    spellings: Sequence[str]
    shared: dict[str, Any]  # Any: values of several types
    at_prices: Sequence[tuple[Decimal, dict[str, Any]]]

    @classmethod
    def of(cls, variants: Iterable[tuple[str, Sequence[_Value]]]) -> "_Offers":
        """`variants`: the price of each and its values, with those of the product."""
        priced: dict[Decimal, list[Sequence[_Value]]] = {}
        for text, own in variants:
            priced.setdefault(_price(text), []).append(own)
        attributes = _ordered(value for of_price in priced.values() for variant in of_price for value in variant)
        listed = {value.term: value.spelling for value in attributes if value.spelling is not None}
        prices = sorted(priced)
        facts = {
            price: [list({value.fact: None for value in variant}) for variant in priced[price]] for price in prices
        }
        shared = {
            "values": list(listed),
            "attribute_names": sorted({value.key for value in attributes}),
            "price_buckets": sorted({bucket for price in prices for bucket in buckets(price)}),
        }
        at_prices = [
            {
                **_values_at(price, priced),
                "lowest": price == prices[0],
                "price_cents": hundredths(price),
                "own_buckets": buckets(price),
                "first_bucket": buckets(price)[0],
                "lower_cents": [hundredths(lower) for lower in prices[:i]],
                "facts": facts[price],
                "lower_facts": [
                    [*known, *price_terms(lower), *near_terms(lower, price)]
                    for lower in prices[:i]
                    for known in facts[lower]
                ],
            }
            for i, price in enumerate(prices)
        ]
        values = tuple({value.pair[1]: None for value in attributes if value.pair[1].casefold() not in _TRUTHS})
        return cls(values, list(listed.values()), shared, list(zip(prices, at_prices, strict=True)))


def _offers(product: IndexedProduct) -> _Offers:
    if not product.specifications and not any(variant["attributes"] for variant in product.variants):
        return _offers_of_prices(tuple(variant["price"] for variant in product.variants))
    of_product = [_value(*pair) for pair in attribute_pairs(product.specifications)]
    return _Offers.of(
        (variant["price"], [*of_product, *(_value(*pair) for pair in attribute_pairs(variant["attributes"]))])
        for variant in product.variants
    )


@lru_cache(KEPT)
def _offers_of_prices(prices: tuple[str, ...]) -> _Offers:
    """Of variants without attributes."""
    return _Offers.of([(price, ()) for price in prices])


# Of what many products have in common.
@lru_cache(KEPT)
def _of_brand(brand: str | None) -> tuple[str | None, dict[str, list[str]], tuple[str, ...]]:
    """The term of a brand, its fields, and how it is spelled."""
    term = brand_term(brand) if brand else ""
    if not brand or not term:
        return None, {"brand": [], "brand_key": []}, ()
    return term, {"brand": [brand], "brand_key": [term]}, (SEPARATOR.join((term, brand)),)


_text = lru_cache(KEPT)(str)


@lru_cache(KEPT)
def _price(text: str) -> Decimal:
    return Decimal(text)


@lru_cache(KEPT)
def _of_category(category_id: UUID, path: str) -> dict[str, Any]:  # Any: values of several types
    return {"category": str(category_id), "categories": category_keys(category_id, path)}


def _ordered(values: Iterable[_Value]) -> list[_Value]:
    """Once each, by name and then by value."""
    known = {value.pair: value for value in values}
    return [known[pair] for pair in sorted(known)]


def _values_at(price: Decimal, priced: Mapping[Decimal, Iterable[Sequence[_Value]]]) -> dict[str, list[str]]:
    """The terms of the values of the variants of one price, by whether a cheaper one has them."""
    if not any(map(any, priced.values())):
        return {"new_values": [], "again_values": []}
    nearest: dict[str, Decimal] = {}
    for lower in sorted(one for one in priced if one < price):
        nearest.update((value.term, lower) for variant in priced[lower] for value in variant)
    own = _ordered(value for variant in priced[price] for value in variant if value.spelling is not None)
    terms = dict.fromkeys(value.term for value in own)
    return {
        "new_values": [term for term in terms if term not in nearest],
        "again_values": [again_term(hundredths(nearest[term]), term) for term in terms if term in nearest],
    }


def again_term(cents: int, term: str) -> str:
    """A value that a cheaper variant has too, the nearest at this price."""
    return f"{cents}{SEPARATOR}{term}"


def card_of(product: IndexedProduct, price: Decimal, titles: Mapping[str, str], languages: Languages) -> str:
    """The JSON of a SearchResultItem for a reader of the shop's own language, written without checking it."""
    title, language = shown_title(titles, languages.own) if titles else (product.title, None)
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


def document(known: Mapping[str, Any]) -> str:  # Any: as fields_of
    """The JSON of the engine's document: equal for equal fields."""
    # A field without a value is left out: reading it takes the engine time.
    said = {name: value for name, value in known.items() if value or value == 0}
    for name in FACTS:
        variants = said.pop(name, ())
        if any(variants):
            said[name] = _at_positions(variants)
            said[of_all(name)] = sorted(set(variants[0]).intersection(*variants[1:]))
    return orjson.dumps(said).decode()


def of_all(name: str) -> str:
    """The field, of one of FACTS, of what is true of all its variants."""
    return f"{name}_of_all"


def _at_positions(variants: Sequence[Sequence[str]]) -> dict[str, Any]:  # Any: JSON
    """Facts as the engine reads a text whose words are known: those of one variant are at one position."""
    tokens = [
        {"offset_from": 0, "offset_to": 0, "position": place, "text": fact, "position_length": 1}
        for place, facts in enumerate(variants)
        for fact in facts
    ]
    return {"text": "", "tokens": tokens}


def departments(searcher: tantivy.Searcher, product_id: UUID) -> list[str]:
    """Where the index has the product; empty when it has not."""
    found = searcher.search(tantivy.Query.term_query(schema(), "product_id", str(product_id)), 1, count=False)
    return [Rest.of(searcher.doc(address)).department for _, address in found.hits]


# All that a row says, but for its views.
_ROW = attrgetter(*(one.name for one in fields(IndexedProduct) if one.name != "view_count"))


def mark(product: IndexedProduct, units_sold: int, names: CategoryNames = NO_NAMES) -> bytes:
    """Another one for other documents, told from the row, which takes less than to make them: a sale that leaves units,
    or a view, is no new document."""
    said = [names.get(path) for path in paths_of(product.category_path)] if names else None
    row = (_ROW(product), popularity(product, units_sold), said)
    return hashlib.blake2b(orjson.dumps(row, default=str), digest_size=16).digest()


def hundredths(value: Decimal) -> int:
    """A price or rating as the whole number that the index holds and that filters and facets ask for."""
    return int(value * 100)


def category_keys(category_id: UUID, path: str) -> tuple[str, ...]:
    """The keys of a category filter: the id, path and name of the category and of its ancestors, in lower case."""
    parts = path.strip("/").casefold().split("/")
    paths = ["/" + "/".join(parts[: i + 1]) for i in range(len(parts))]
    return str(category_id), *paths, *parts


def category_key(value: str) -> str:
    """The key that a filter value asks for; `Home > Garden` is a path too."""
    folded = value.casefold().replace(" > ", "/")
    return "/" + folded.strip("/") if "/" in folded else folded


def spelled(name: str) -> str:
    """The name of an attribute in the first of its spellings."""
    folded = key_of(name)
    return next((words[0] for words in SPELLINGS if folded in words), folded)


def spellings(name: str) -> list[str]:
    """The names that mean the same: as it was typed first."""
    folded = key_of(name)
    same = next((words for words in SPELLINGS if folded in words), ())
    return [folded, *(word for word in same if word != folded)]


@lru_cache(KEPT)
def fact(name: str, value: str) -> str:
    """An attribute's value as a term of letters and digits, whatever characters and however many it has."""
    said = orjson.dumps([spelled(name), key_of(value)])
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def tie_of(product_id: UUID) -> int:
    """The random part of an id."""
    return product_id.int & (2**62 - 1)


@lru_cache(KEPT)
def brand_term(brand: str) -> str:
    """A brand under all its spellings."""
    return key_of(brand)


@lru_cache(KEPT)
def value_term(name: str, value: str) -> str:
    """An attribute's value under all spellings of both, readable."""
    return f"{spelled(name)}{SEPARATOR}{key_of(value)}"


def near_terms(lower: Decimal, price: Decimal) -> list[str]:
    """NEAR, where a product that has both prices would be counted twice in a range."""
    return [NEAR] if buckets(price)[0] in buckets(lower) else []


@lru_cache(KEPT)
def buckets(price: Decimal) -> tuple[int, ...]:
    return tuple(price_buckets([price]))


@lru_cache(KEPT)
def price_terms(price: Decimal) -> tuple[str, ...]:
    """The terms of a price: prefixes, so that each span of prices is the union of a few terms (`span_prefixes`)."""
    digits = f"{hundredths(price):0{CENTS_DIGITS}}"
    return tuple(f"={digits[:length]}" for length in range(1, CENTS_DIGITS + 1))


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


def attribute_pairs(source: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Attributes with each of their values."""
    for key, value in source.items():
        if isinstance(value, list):
            yield from ((key, str(item)) for item in value)
        elif value is not None:
            yield key, str(value)
