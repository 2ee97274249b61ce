"""Bodies of search: the seed's bodies."""

from uuid import UUID

from api.catalog.schemas import Condition, PriceRange, RatingStep
from api.kernel.money import Amount
from api.kernel.schemas import Wire


class SearchResultItem(Wire):
    """`price` is the least of the variants that fulfil what was asked. `titleLanguage`: of the title, where it is
    another than was asked for."""

    product_id: UUID
    title: str
    title_language: str | None
    brand: str | None
    price: Amount
    currency: str
    rating: float
    review_count: int
    thumbnail: str
    prime_eligible: bool
    condition: Condition
    in_stock: bool
    sponsored: bool


class Highlights(Wire):
    """HTML: what is not a matched word's `<em>` is escaped. `description`: what is around the first of them, null where
    it has none."""

    title: str
    description: str | None


class HighlightedItem(SearchResultItem):
    """What `highlight=true` answers."""

    highlights: Highlights


class ScorePart(Wire):
    value: float
    why: str
    parts: list["ScorePart"]


class Explained(Wire):
    """`score` is `text` times `popularity`, a factor; `parts` are those of `text`."""

    product_id: UUID
    score: float
    text: float
    popularity: float
    parts: list[ScorePart]


class FewerWords(Wire):
    query: str
    total_results: int


class FilterLeftOut(Wire):
    """How much would be found without the filter of this name."""

    name: str
    total_results: int


class BrandCount(Wire):
    name: str
    count: int


class CategoryCount(Wire):
    """A category with the products of all below it; `path` is what `filters=category:` takes, `level` 0 is a
    department. `nameLanguage`: of the name, where it is another than was asked for."""

    category_id: UUID
    path: str
    name: str
    name_language: str | None
    level: int
    count: int


class ValueCount(Wire):
    name: str
    count: int


class AttributeCount(Wire):
    """`name` is what `filters=attr.` takes, `label` what its definition calls it. The 20 values of most products, and
    whether there are more."""

    name: str
    label: str
    label_language: str | None
    values: list[ValueCount]
    more_values: bool


class Facets(Wire):
    """Each group is counted under all filters but its own, and every count is exact. Listed are the 50 brands (under
    all their spellings), 50 categories and 12 attributes of most products; of a price or attribute that is asked for,
    an attribute's value counts where one variant has all of it."""

    brands: list[BrandCount]
    more_brands: bool
    categories: list[CategoryCount]
    price_ranges: list[PriceRange]
    ratings: list[RatingStep]
    attributes: list[AttributeCount]


class SearchHelp(Wire):
    """Ways on from nothing: words that are spelled otherwise, the query without one of its words, or without one of the
    filters, where that finds something; and the categories of most products."""

    spelling: list[str]
    fewer_words: list[FewerWords]
    filters: list[FilterLeftOut]
    categories: list[CategoryCount]


class SearchBody(Wire):
    """`correctedQuery`: exactly what was searched, null when that is what was typed. `alsoSearched`: what was searched
    besides, the same text with each other word that one which no product has was taken for. `relaxed`: the words that
    are not asked for, because no product has them with the others or because they say nothing about it. `fullMatches`:
    how many of `totalResults` have every other word; the others have some of them, and follow in general. `nextCursor`
    continues after the last result, whatever has changed since; null when nothing follows, and in an order of stages.
    `help` is there when nothing was found, `explained` when an administrator asks for it."""

    query: str
    results: list[HighlightedItem | SearchResultItem]
    facets: Facets
    suggestions: list[str]
    total_results: int
    page: int
    next_cursor: str | None
    corrected_query: str | None
    also_searched: list[str]
    relaxed: list[str]
    full_matches: int
    help: SearchHelp | None
    explained: list[Explained] | None


class Autocomplete(Wire):
    suggestions: list[str]
