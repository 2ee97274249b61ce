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


class BrandCount(Wire):
    name: str
    count: int


class Facets(Wire):
    """Each group is counted under all filters but its own."""

    brands: list[BrandCount]
    price_ranges: list[PriceRange]
    ratings: list[RatingStep]


class SearchBody(Wire):
    """`correctedQuery`: exactly what was searched, null when that is what was typed. `relaxed`: the words that are not
    asked for, because no product has them with the others or because they say nothing about it. `fullMatches`: how many
    of `totalResults` have every other word; the others have some of them, and follow in general."""

    query: str
    results: list[SearchResultItem]
    facets: Facets
    suggestions: list[str]
    total_results: int
    page: int
    corrected_query: str | None
    relaxed: list[str]
    full_matches: int


class Autocomplete(Wire):
    suggestions: list[str]
