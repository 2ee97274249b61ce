"""The interface of a search index, so that the embedded engine can be replaced by a search cluster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from api.catalog.attributes.queries import KnownAttributes
from api.catalog.queries.counting import ListCounter
from api.search.filters import Filters

Sort = Literal["relevance", "price_asc", "price_desc", "rating", "newest", "popularity"]


@dataclass(frozen=True, slots=True)
class After:
    """The end of a page: what its last result was sorted by, the place of that product among those of the same value,
    and how many results were before."""

    value: float
    tie: int
    passed: int


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`limit` results from `offset` on, or those that follow `after`. Blank `text` matches every product that passes
    the filters. `language`: the reader's, None for the shop's own. `without`: words that no result has; `explain`: with
    what the scores are made of."""

    text: str
    filters: Filters
    sort: Sort
    limit: int
    offset: int
    language: str | None = None
    after: After | None = None
    without: tuple[str, ...] = ()
    explain: bool = False

    @property
    def of_text(self) -> tuple[str | None, ...]:
        """What decides what is found, but for the filters."""
        # Only by relevance those with some of the words are found too.
        return self.text, self.language, *self.without, "some" if self.sort == "relevance" else None


@dataclass(frozen=True, slots=True)
class CountedAttribute:
    """An attribute with its values, the most frequent first. `key` is known to filters, `name` is how most products
    spell it. `more`: there are further values."""

    key: str
    name: str
    values: Sequence[tuple[str, int]]
    more: bool


@dataclass(frozen=True, slots=True)
class Found:
    """Counts are disjunctive: each group is counted under all filters but its own, so that it shows
    how many results another choice would add.

    `hits`: the JSON of a SearchResultItem each, as the index stored it, at most two seconds old. `ids`: the product of
    each hit. `scores`: the relevance of each, falling; empty where another order was asked for.
    `exact`: there are results with every word as it was typed.
    `brands`: each under all its spellings, named as most products of the shop spell it; `more_brands`: there are
    further ones. `categories`: the ids of those that products are in. `attributes`: those that most products have; a
    value is counted as often as there are products with a variant that has it and fulfils all other filters.
    `explained`: of each result, what its score is made of, where that was asked for.
    `last`: where the page ends, None when nothing follows.
    `shown`: what has been made of the counts, by how; the same for equal counts.
    `price_ranges` by bucket of catalog.facets; `ratings` by step, "or better". `corrected`: exactly what was searched,
    where that is not what was typed; `also_searched`: what finds besides, the text with each other word that an unknown
    one was taken for. `full`: how many of `total` have every word that is asked for.
    `relaxed`: the words that are not asked for, because no product has them with the others or because they say nothing
    about it.
    """

    hits: Sequence[str]
    ids: Sequence[str]
    scores: Sequence[float]
    total: int
    exact: bool
    brands: Sequence[tuple[str, int]]
    price_ranges: Sequence[tuple[int, int]]
    ratings: Sequence[tuple[int, int]]
    corrected: str | None
    full: int
    relaxed: Sequence[str]
    also_searched: Sequence[str] = ()
    last: After | None = None
    explained: Sequence[dict[str, Any]] = ()  # Any: JSON
    more_brands: bool = False
    categories: Sequence[tuple[str, int]] = ()
    attributes: Sequence[CountedAttribute] = ()
    shown: dict[Any, bytes] = field(default_factory=dict, compare=False)  # Any: a key of whoever shows them


class SearchIndex(ListCounter, KnownAttributes, Protocol):
    """The operations that the routes use, the counts of product lists, and the names of attributes."""

    async def knows_attribute(self, name: str) -> bool:
        """Whether a product on sale has an attribute of this name, in one of its spellings. Raises: IndexNotReady."""

    def forms(self, text: str, language: str | None = None) -> frozenset[str]:
        """The words of a text as the index compares them, for a reader of a language."""

    async def close(self) -> None:
        """End what the process has open of it."""

    async def search(self, query: SearchQuery) -> Found:
        """Raises: IndexNotReady (503) before the first build."""

    async def complete(
        self, text: str, limit: int, language: str | None = None, *, forgive: bool = True, titles: bool = True
    ) -> list[str]:
        """What a reader of a language may mean by `text`, beginnings of words in any order: frequent queries, then
        phrases in lower case, then `titles`; with `forgive`, one typing error in each word when there are none."""
