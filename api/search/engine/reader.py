"""One open generation of the index as of one commit, with what was read of it."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import orjson
import tantivy

from api.catalog.facets import RATING_STEPS
from api.catalog.queries.counting import Counts
from api.catalog.queries.listing import ProductQuery
from api.kernel.languages import Languages
from api.search import documents
from api.search.suggestions.reader import Suggestions

T = TypeVar("T")

THREAD_FROM = 50_000
MAX_PRODUCTS = 20_000
MAX_GROUPS = 500
MOST_SPELLINGS = 1_000
# What a product is counted in, next to its attributes. No attribute's key begins so.
BRANDS, CATEGORIES, PRICES, RATINGS = (
    documents.SEPARATOR + name for name in ("brands", "categories", "prices", "ratings")
)

NUMBER = "i"
_COUNTED = attrgetter("counted")


@dataclass(slots=True)
class Term:
    """What products are counted by, in a group: one of those above, or an attribute by its key. Each has a number as of
    one commit, so that counting adds up numbers. `valued`: how most products spell the attribute and the value."""

    group: str
    text: str
    number: int
    valued: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """An open generation as of one commit. What was read of it is kept as long as it is: `counted` for lists, and
    products by their place in it."""

    folder: Path
    index: tantivy.Index
    committed: int
    searcher: tantivy.Searcher
    languages: Languages
    suggestions: Suggestions
    counted: dict[ProductQuery, Counts] = field(default_factory=dict)
    products: dict[tuple[int, int], "Product"] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    brands: list[tuple[str, int]] = field(default_factory=list)
    spellings: dict[str, str] = field(default_factory=dict)
    terms: dict[tuple[str, str], Term] = field(default_factory=dict)
    numbered: dict[int, Term] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    groups: dict[tuple[str | None, ...], Any] = field(default_factory=dict)  # Any: counts in several forms

    @property
    def is_large(self) -> bool:
        """Whether a query takes longer than a thread to run it in."""
        return self.searcher.num_docs >= THREAD_FROM

    def once(self, key: tuple[str | None, ...], make: Callable[[], T]) -> T:
        """What `make` found when it was called for this key."""
        found: T | None = self.groups.get(key)
        if found is None:
            found = make()
            if len(self.groups) >= MAX_GROUPS:
                self.groups.clear()
            self.groups[key] = found
        return found

    def spelled(self, term: str) -> str:
        """How most products spell the brand or the attribute's value of a term."""
        found = self.spellings.get(term)
        if found is None:
            known = self._spellings(term)
            found = self.spellings[term] = min(known, key=lambda one: (-one[1], one[0]), default=(term, 0))[0]
        return found

    def spellings_of(self, brands: Sequence[str]) -> tuple[str, ...]:
        """Every spelling of brands, by their terms."""
        return tuple(sorted(name for term in brands for name, _ in self._spellings(term)))

    def _spellings(self, term: str) -> list[tuple[str, int]]:
        """The spellings of a term with their numbers of products; not those of the values of an attribute that is
        called as a brand is."""
        start, parts = term + documents.SEPARATOR, term.count(documents.SEPARATOR)
        known = self.searcher.terms_with_prefix("spellings", start, limit=MOST_SPELLINGS)
        found = [(name[len(start) :], n) for name, n in known]
        return [(name, n) for name, n in found if name.count(documents.SEPARATOR) == parts]

    def term(self, group: str, text: str) -> Term:
        """The one object for it."""
        found = self.terms.get((group, text))
        if found is None:
            # Another thread may make the same: one of the two stays.
            found = self.terms.setdefault((group, text), Term(group, text, next(self.numbers)))
            self.numbered[found.number] = found
        return found

    def counts_of(self, products: "Iterable[Product]") -> Iterator[tuple[Term, int]]:
        """How many of the products have each term."""
        numbers = np.frombuffer(b"".join(map(_COUNTED, products)), NUMBER)
        counts = np.bincount(numbers)
        found = counts.nonzero()[0]
        return zip(map(self.numbered.__getitem__, found.tolist()), counts[found].tolist(), strict=True)

    def value(self, text: str) -> Term:
        """Of the term of an attribute's value."""
        return self.term(text.partition(documents.SEPARATOR)[0], text)

    def valued(self, term: Term) -> tuple[str, str]:
        """How most products spell the attribute and the value of a term."""
        if term.valued is None:
            name, value = self.spelled(term.text).split(documents.SEPARATOR)
            term.valued = name, value
        return term.valued

    def product(self, address: tantivy.DocAddress) -> "Product":
        return self.products_at([address])[0]

    def products_at(self, addresses: Sequence[tantivy.DocAddress], unread: int | None = None) -> "list[Product]":
        """In their order; none where more than `unread` were not read before."""
        places = [(address.segment_ord, address.doc) for address in addresses]
        known = list(map(self.products.get, places))
        missing = known.count(None)
        if unread is not None and missing > unread:
            return []
        if missing:
            known = [
                self._read(place, address) if product is None else product
                for product, place, address in zip(known, places, addresses, strict=True)
            ]
        return cast("list[Product]", known)

    def _read(self, place: tuple[int, int], address: tantivy.DocAddress) -> "Product":
        product = Product.of(self.searcher.doc(address), self)
        if len(self.products) < MAX_PRODUCTS:
            self.products[place] = product
        return product


@dataclass(frozen=True, slots=True)
class Product:
    """`card` is the JSON of a SearchResultItem for a reader of the shop's own language, `cards` of those for others by
    language, made when they are asked for. `titles` by language, its own first. `counted`: the numbers of what it is
    counted by, with the buckets of all prices that it is offered at and the highest step of ratings that it reaches."""

    product_id: str
    card: str
    titles: dict[str, str]
    counted: bytes
    cards: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: tantivy.Document, reader: Reader) -> "Product":
        rest = documents.Rest.of(stored)
        counted = [
            *([] if rest.brand is None else [reader.term(BRANDS, rest.brand)]),
            reader.term(CATEGORIES, rest.category),
            *(reader.term(PRICES, str(bucket)) for bucket in rest.prices),
            *[reader.term(RATINGS, str(step)) for step in RATING_STEPS if rest.rating >= step][:1],
            *map(reader.value, rest.values),
        ]
        numbers = array(NUMBER, [term.number for term in counted]).tobytes()
        return cls(rest.product_id, str(stored.get_first("card")), rest.titles, numbers)

    def card_in(self, language: str | None) -> str:
        """The card for a reader of a language; None: of the shop's own."""
        if language is None:
            return self.card
        card = self.cards.get(language)
        if card is None:
            title, other = documents.shown_title(self.titles, language)
            made = {**orjson.loads(self.card), "title": title, "titleLanguage": other}
            card = self.cards[language] = orjson.dumps(made).decode()
        return card
