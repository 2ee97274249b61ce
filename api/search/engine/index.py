"""The interface of a search index, so that the embedded engine can be replaced by a search cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from api.catalog.attributes.queries import KnownAttributes
from api.catalog.queries.counting import ListCounter
from api.search.filters import Filters

Sort = Literal["relevance", "price_asc", "price_desc", "rating", "newest", "popularity"]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`limit` results from `offset` on. Blank `text` matches every product that passes the filters. `language`: the
    reader's, None for the shop's own."""

    text: str
    filters: Filters
    sort: Sort
    limit: int
    offset: int
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Counts are disjunctive: each group is counted under all filters but its own, so that it shows
    how many results another choice would add.

    `hits`: the JSON of a SearchResultItem each, as the index stored it, at most two seconds old. `ids`: the product of
    each hit. `scores`: the relevance of each, falling; empty where another order was asked for.
    `exact`: there are results with every word as it was typed.
    `price_ranges` by bucket of catalog.facets; `ratings` by step, "or better". `corrected`: exactly what was searched,
    where that is not what was typed. `full`: how many of `total` have every word that is asked for.
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


class SearchIndex(ListCounter, KnownAttributes, Protocol):
    """The operations that the routes use, the counts of product lists, and the names of attributes."""

    def knows_attribute(self, name: str) -> bool:
        """Whether a product on sale has an attribute of this name, in one of its spellings. Raises: IndexNotReady."""

    async def search(self, query: SearchQuery) -> Found:
        """Raises: IndexNotReady (503) before the first build."""

    async def complete(self, text: str, limit: int, language: str | None = None, *, forgive: bool = True) -> list[str]:
        """What a reader of a language may mean by `text`, beginnings of words in any order: frequent queries, then
        phrases in lower case, then titles; with `forgive`, one typing error in each word when there are none."""
