"""HTTP of search."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request

from api.catalog.facets import price_range_label
from api.catalog.schemas import PriceRange, RatingStep
from api.kernel.errors import ValidationFailed
from api.kernel.pagination import MAX_LIMIT, MAX_PAGE
from api.kernel.problems import responses
from api.search.engine.index import Hit, SearchIndex, SearchQuery, Sort
from api.search.errors import BadFilter, IndexNotReady
from api.search.filters import parse_filters
from api.search.schemas import Autocomplete, BrandCount, Facets, SearchBody, SearchResultItem

router = APIRouter(prefix="/search", tags=["search"])
SUGGESTIONS = 5


async def index_of(request: Request) -> SearchIndex:
    """The application's index."""
    return cast("SearchIndex", request.app.state.search_index)


Index = Annotated[SearchIndex, Depends(index_of)]


@router.get(
    "",
    operation_id="search",
    summary="Full text with filters and counts",
    responses=responses(ValidationFailed, BadFilter, IndexNotReady),
)
async def search(
    *,
    index: Index,
    q: Annotated[str, Query(max_length=200, examples=["laptop"], description="Blank matches everything")] = "",
    filters: Annotated[str | None, Query(max_length=2_000, examples=["brand:Dell,price:500-1000"])] = None,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
    sort: Sort = "relevance",
) -> SearchBody:
    """Full text over title, brand, category, description and attributes, with filters and counts."""
    found = await index.search(SearchQuery(q, parse_filters(filters), sort, limit, (page - 1) * limit))
    suggestions = await index.complete(found.corrected or q, SUGGESTIONS + 1)
    return SearchBody(
        query=q,
        results=[_item(hit) for hit in found.hits],
        facets=Facets(
            brands=[BrandCount(name=name, count=count) for name, count in found.brands],
            price_ranges=[
                PriceRange(range=price_range_label(bucket), count=count) for bucket, count in found.price_ranges
            ],
            ratings=[RatingStep(rating=step, count=count) for step, count in found.ratings],
        ),
        suggestions=[phrase for phrase in suggestions if phrase != q.casefold().strip()][:SUGGESTIONS],
        total_results=found.total,
        page=page,
        corrected_query=found.corrected,
    )


@router.get(
    "/autocomplete",
    operation_id="autocomplete",
    summary="Phrases that continue what was typed",
    responses=responses(ValidationFailed, IndexNotReady),
)
async def autocomplete(
    index: Index,
    q: Annotated[str, Query(max_length=200, examples=["ipho"])],
    limit: Annotated[int, Query(ge=1, le=20)] = 10,
) -> Autocomplete:
    """Phrases that continue the typed text, the most popular first; one typing error is tolerated."""
    return Autocomplete(suggestions=await index.complete(q, limit))


def _item(hit: Hit) -> SearchResultItem:
    return SearchResultItem(
        product_id=hit.product_id,
        title=hit.title,
        brand=hit.brand,
        price=hit.price,
        currency=hit.currency,
        rating=hit.rating,
        review_count=hit.review_count,
        thumbnail=hit.thumbnail,
        prime_eligible=hit.prime_eligible,
        in_stock=hit.in_stock,
        sponsored=False,
    )
