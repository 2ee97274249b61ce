"""HTTP of search."""

from typing import Annotated, cast

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from api.catalog.schemas import AskedSort
from api.catalog.tree.kept import tree_of
from api.kernel.auth import account_of
from api.kernel.context import Context, Ctx
from api.kernel.direct import DirectRoute, WrittenResponse
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Cursor, PageLimit, PageNumber
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, Named, header_in_document, reader_in
from api.kernel.schemas import Params
from api.search.answer import cursors, negatives
from api.search.answer.counts import facets_json
from api.search.answer.help import help_of
from api.search.answer.marks import with_marks
from api.search.answer.names import names_of
from api.search.answer.placement import placed
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
    cursor: Cursor = None
    language: Named = None
    highlight: Annotated[bool, Field(description="Each result with its matched words marked")] = False
    explain: Annotated[bool, Field(description="What scores are made of; for administrators")] = False


@router.get(
    "",
    operation_id="search",
    summary="Full text with filters and counts",
    response_model=SearchBody,
    responses={
        200: {"headers": _SEARCH_ID},
        **responses(NotAuthenticated, Forbidden, ValidationFailed, BadFilter, IndexNotReady),
    },
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
        if not await index.knows_attribute(name):
            raise unknown_attribute(name, await index.attribute_names())
    listing = cursors.listing_of(asked.sort, asked.q, asked.filters, language)
    after = cursors.read(ctx.keys, listing, asked.cursor)
    if asked.explain:
        await _require_administrator(request, ctx)
    text, without = negatives.split(asked.q)
    query = SearchQuery(text, filters, asked.sort, asked.limit, offset, language, after, without, asked.explain)
    await synonyms_of(request).look()
    found, own = await stages_of(request).search(index, query, request)
    hits = await with_marks(ctx, index, query, found, reader) if asked.highlight else found.hits
    # What finds something as it was typed has no typing error, and its titles are the results.
    typed, missed = found.corrected or query.text, not found.exact
    suggestions = await index.complete(typed, SUGGESTIONS + 1, language, forgive=missed, titles=missed)
    known = await (await names_of(request)).now(dict(found.categories))
    rest = {
        "suggestions": [phrase for phrase in suggestions if phrase.casefold() != query.text.casefold().strip()][
            :SUGGESTIONS
        ],
        "totalResults": found.total,
        "page": asked.page,
        "nextCursor": cursors.written(ctx.keys, listing, found.last),
        "correctedQuery": found.corrected,
        "alsoSearched": found.also_searched,
        "relaxed": found.relaxed,
        "fullMatches": found.full,
        "help": None if found.total else await help_of(index, query, known, reader),
        "explained": [{"productId": product, **one} for product, one in zip(found.ids, found.explained, strict=True)]
        if asked.explain
        else None,
    }
    # A SearchBody. The index stores each result as the JSON that is answered: it is not read to be written again.
    head = f'{{"query":{orjson.dumps(asked.q).decode()},"results":[{",".join(placed(found.ids, hits, ()))}],"facets":'
    answered = Answered(
        text=asked.q,
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
    body = b"".join((head.encode(), facets_json(found, known, reader), b",", orjson.dumps(rest)[1:]))
    return WrittenResponse(body, 200, {name.lower().encode(): value for name, value in headers.items()})


async def _require_administrator(request: Request, ctx: Context) -> None:
    """Raises: Forbidden, also for a caller who is not signed in; NotAuthenticated for a token that does not count."""
    authorization = request.headers.get("authorization")
    if authorization is None or (await account_of(request, ctx, authorization)).kind != "admin":
        raise Forbidden("Only administrators may see what scores are made of.")


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
