"""HTTP of search."""

from typing import Annotated, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.catalog.facets import price_range_label
from api.catalog.schemas import AskedSort
from api.catalog.tree.kept import tree_of
from api.kernel.context import Ctx
from api.kernel.direct import DirectRoute
from api.kernel.errors import ValidationFailed
from api.kernel.pagination import PageLimit, PageNumber
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, Named, header_in_document, reader_in
from api.kernel.schemas import Params
from api.search.engine.index import SearchIndex, SearchQuery
from api.search.errors import BadFilter, IndexNotReady
from api.search.filters import in_tree, parse_filters, unknown_attribute
from api.search.log.recorder import HEADER, Answered, log_of
from api.search.schemas import Autocomplete, SearchBody
from api.search.stages.stages import PRIVATE, stages_of
from api.search.synonyms.kept import synonyms_of

router = APIRouter(prefix="/search", tags=["search"], route_class=DirectRoute)
SUGGESTIONS = 5
_SEARCH_ID = {
    HEADER: {
        "description": "Of this search: events about its results name it as `searchId`",
        "schema": {"type": "string", "format": "uuid"},
    }
}


async def index_of(request: Request) -> SearchIndex:
    """The application's index."""
    return cast("SearchIndex", request.app.state.search_index)


Index = Annotated[SearchIndex, Depends(index_of)]


class SearchParams(Params):
    q: Annotated[str, Field(max_length=200, examples=["laptop"], description="Blank matches everything")] = ""
    filters: Annotated[str | None, Field(max_length=2_000, examples=["brand:Dell,price:500-1000"])] = None
    page: PageNumber = 1
    limit: PageLimit = 20
    sort: AskedSort = "relevance"
    language: Named = None


@router.get(
    "",
    operation_id="search",
    summary="Full text with filters and counts",
    response_model=SearchBody,
    responses={200: {"headers": _SEARCH_ID}, **responses(ValidationFailed, BadFilter, IndexNotReady)},
    openapi_extra=header_in_document(),
)
async def search(ctx: Ctx, request: Request, asked: Annotated[SearchParams, Query()]) -> Response:
    """Full text over title, brand, category, description and attributes, with filters and counts: in the reader's
    language, and in each product's own."""
    index = await index_of(request)
    reader = reader_in(ctx, request, asked.language)
    language = None if reader.language == reader.shop else reader.language
    offset = (asked.page - 1) * asked.limit
    filters = parse_filters(asked.filters)
    if filters.categories:
        filters = in_tree(filters, await (await tree_of(request)).now())
    for name in filters.attributes:
        if not index.knows_attribute(name):
            raise unknown_attribute(name, await index.attribute_names())
    query = SearchQuery(asked.q, filters, asked.sort, asked.limit, offset, language)
    await synonyms_of(request).look()
    found, own = await stages_of(request).search(index, query, request)
    # What finds something as it was typed has no typing error.
    typed = found.corrected or query.text
    suggestions = await index.complete(typed, SUGGESTIONS + 1, language, forgive=not found.exact)
    rest = {
        "facets": {
            "brands": [{"name": name, "count": count} for name, count in found.brands],
            "priceRanges": [
                {"range": price_range_label(bucket), "count": count} for bucket, count in found.price_ranges
            ],
            "ratings": [{"rating": step, "count": count} for step, count in found.ratings],
        },
        "suggestions": [phrase for phrase in suggestions if phrase.casefold() != query.text.casefold().strip()][
            :SUGGESTIONS
        ],
        "totalResults": found.total,
        "page": asked.page,
        "correctedQuery": found.corrected,
        "relaxed": found.relaxed,
        "fullMatches": found.full,
    }
    # A SearchBody. The index stores each result as the JSON that is answered: it is not read to be written again.
    head = f'{{"query":{orjson.dumps(query.text).decode()},"results":[{",".join(found.hits)}],'
    answered = Answered(
        text=query.text,
        total=found.total,
        hits=found.hits,
        corrected=found.corrected,
        relaxed=found.relaxed,
        sort=asked.sort,
        filter_names=filters.names,
        page=asked.page,
        page_size=asked.limit,
        language=reader.language,
    )
    headers = {**reader.headers, **(PRIVATE if own else {}), HEADER: str(log_of(request).note(request, answered))}
    return Response(head.encode() + orjson.dumps(rest)[1:], headers=headers, media_type="application/json")


@router.get(
    "/autocomplete",
    operation_id="autocomplete",
    summary="Queries that what was typed may become",
    responses=responses(ValidationFailed, IndexNotReady),
    openapi_extra=header_in_document(),
)
async def autocomplete(
    *,
    index: Index,
    q: Annotated[str, Query(max_length=200, examples=["ipho"])],
    limit: Annotated[int, Query(ge=1, le=20)] = 10,
    reader: CurrentReader,
    response: Response,
) -> Autocomplete:
    """What may be meant by the typed beginnings of words, in any order: frequent queries, then phrases of the catalog,
    then titles. One typing error in each word is tolerated."""
    response.headers.update(reader.headers)
    language = None if reader.language == reader.shop else reader.language
    return Autocomplete(suggestions=await index.complete(q, limit, language))
