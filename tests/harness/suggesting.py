"""Suggestions of a small catalog, without a shop: products as the index is given them, and an index as it is read."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from api.catalog.queries.index_feed import IndexedProduct
from api.kernel.languages import Languages
from api.search.suggestions import entries
from api.search.suggestions.queries import FrequentQuery
from api.search.suggestions.reader import Suggestions
from api.search.suggestions.writer import Builder, Updater
from api.search.text import surface_words
from api.search.texts import SHOP

_PRODUCT = IndexedProduct(
    product_id=UUID(int=0),
    live=True,
    language=None,
    translations=None,
    title="",
    brand=None,
    seller_id=UUID(int=1),
    category_id=UUID(int=2),
    category_path="/Goods",
    description=None,
    specifications={},
    variants=[{"price": "1.00", "attributes": {}}],
    currency="USD",
    rating=Decimal(0),
    review_count=0,
    view_count=0,
    prime_eligible=False,
    condition="new",
    in_stock=True,
    thumbnail="",
)


def product(number: int, title: str, **changes: Any) -> IndexedProduct:
    """A product on sale; `changes`: other fields."""
    return replace(_PRODUCT, product_id=UUID(int=number), title=title, **changes)


def titled(*titles: str) -> list[IndexedProduct]:
    """A product of each title, numbered from 1."""
    return [product(number, title) for number, title in enumerate(titles, 1)]


class Suggested:
    """The suggestions of products, in a generation of their own; `change` is what the worker does after a change."""

    def __init__(
        self,
        generation: Path,
        products: Sequence[IndexedProduct] = (),
        languages: Languages = SHOP,
        queries: Sequence[FrequentQuery] = (),
    ) -> None:
        self.generation, self.languages = generation, languages
        self.products: dict[UUID, IndexedProduct] = {}
        builder = Builder(generation)
        for one in products:
            builder.add(self._said(one))
        builder.finish(queries, languages.known)
        self.updater = Updater(languages.known, queries)

    def change(self, *products: IndexedProduct) -> int:
        """How many documents were written."""
        return self.updater.update(self.generation, [self._said(one) for one in products])

    def complete(self, text: str, limit: int = 10, language: str | None = None, *, forgive: bool = True) -> list[str]:
        return self._read().complete(text, limit, language, forgive=forgive)

    def near(self, word: str, limit: int = 10) -> list[str]:
        return [near.word for near in self._read().near(word, limit, self.frequency)]

    def containing(self, part: str, limit: int = 10) -> list[str]:
        return self._read().containing(part, limit, self.frequency)

    def frequency(self, word: str) -> int:
        """How many products on sale have a word in their titles."""
        return sum(one.live and word in surface_words(one.title) for one in self.products.values())

    def _read(self) -> Suggestions:
        return Suggestions(self.generation, self.languages.known)

    def _said(self, one: IndexedProduct) -> entries.Said:
        self.products[one.product_id] = one
        return entries.said(one, 1.0, self.languages)
