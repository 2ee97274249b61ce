"""One open generation of the index as of one commit, with what was read of it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
import tantivy

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
    values: dict[str, tuple[str, str]] = field(default_factory=dict)
    groups: dict[tuple[str | None, ...], Any] = field(default_factory=dict)  # Any: counts in several forms

    @property
    def is_large(self) -> bool:
        """Whether a query takes longer than a thread to run it in."""
        return self.searcher.num_docs >= THREAD_FROM

    def once(self, key: tuple[str | None, ...], count: Callable[[], T]) -> T:
        """What `count` found when it was called for this key."""
        found: T | None = self.groups.get(key)
        if found is None:
            found = count()
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

    def valued(self, term: str) -> tuple[str, str]:
        """How most products spell the attribute and the value of a term."""
        found = self.values.get(term)
        if found is None:
            name, value = self.spelled(term).split(documents.SEPARATOR)
            found = self.values[term] = name, value
        return found

    def product(self, address: tantivy.DocAddress) -> "Product":
        place = (address.segment_ord, address.doc)
        product = self.products.get(place)
        if product is None:
            product = Product.of(self.searcher.doc(address))
            if len(self.products) < MAX_PRODUCTS:
                self.products[place] = product
        return product


@dataclass(frozen=True, slots=True)
class Product:
    """`card` is the JSON of a SearchResultItem for a reader of the shop's own language, `cards` of those for others by
    language, made when they are asked for. `titles` by language, its own first. The rest is what is counted, `prices`
    as the buckets of all that it is offered at, brand and values as terms."""

    product_id: str
    card: str
    brand: str | None
    category: str
    values: list[str]
    prices: list[int]
    rating: float
    titles: dict[str, str]
    cards: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: tantivy.Document) -> "Product":
        rest = documents.Rest.of(stored)
        return cls(
            product_id=rest.product_id,
            card=str(stored.get_first("card")),
            brand=rest.brand,
            # The same strings for every product: equal ones are counted by comparing where they are.
            category=sys.intern(rest.category),
            values=list(map(sys.intern, rest.values)),
            prices=rest.prices,
            rating=rest.rating,
            titles=rest.titles,
        )

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
