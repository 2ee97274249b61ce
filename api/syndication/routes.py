"""HTTP of product feeds and the site map: files that a worker has made, with their entity tags."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import FileResponse

from api.kernel import etags
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotFound
from api.kernel.problems import responses
from api.syndication.making import FEEDS, INDEX, METADATA, made

router = APIRouter(tags=["feeds"])
IfNoneMatch = Annotated[str | None, Header(max_length=2_000)]
_PART = re.compile(r"sitemap-[1-9][0-9]{0,5}\.xml\.gz")
# Any: FastAPI's own type for OpenAPI fragments.
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Not modified"}}


class FeedNotMade(NotFound):
    title, code = "The file is not made yet", "feed-not-made"


class PartNotFound(NotFound):
    title, code = "No such part of the site map", "sitemap-part-not-found"


@router.get(
    "/feeds/products.xml",
    operation_id="getProductFeedXml",
    summary="Every variant on sale, as RSS 2.0 with the names of the common shopping feeds",
    response_class=FileResponse,
    responses={200: {"content": {"application/rss+xml": {}}}, **_NOT_MODIFIED, **responses(FeedNotMade)},
)
async def get_product_feed_xml(ctx: Ctx, if_none_match: IfNoneMatch = None) -> Response:
    """Made by a worker every `SOUK_FEEDS_SECONDS`; only what can be bought is in it."""
    return _file(ctx, "products.xml", FEEDS["products.xml"], if_none_match)


@router.get(
    "/feeds/products.csv",
    operation_id="getProductFeedCsv",
    summary="Every variant on sale, as CSV with the names of the common shopping feeds",
    response_class=FileResponse,
    responses={200: {"content": {"text/csv": {}}}, **_NOT_MODIFIED, **responses(FeedNotMade)},
)
async def get_product_feed_csv(ctx: Ctx, if_none_match: IfNoneMatch = None) -> Response:
    """The same items as in the XML feed."""
    return _file(ctx, "products.csv", FEEDS["products.csv"], if_none_match)


@router.get(
    "/feeds/products.jsonl",
    operation_id="getAgentProductFeed",
    summary="The products on sale for agents, one in each line",
    response_class=FileResponse,
    responses={200: {"content": {"application/jsonl": {}}}, **_NOT_MODIFIED, **responses(FeedNotMade)},
)
async def get_agent_product_feed(ctx: Ctx, if_none_match: IfNoneMatch = None) -> Response:
    """The variants of the XML feed. The id of a variant is an item of `POST /checkout_sessions`."""
    return _file(ctx, "products.jsonl", FEEDS["products.jsonl"], if_none_match)


@router.get(
    "/feeds/metadata.json",
    operation_id="getAgentFeedMetadata",
    summary="The market of that feed, and when it last changed",
    response_class=FileResponse,
    responses={200: {"content": {"application/json": {}}}, **_NOT_MODIFIED, **responses(FeedNotMade)},
)
async def get_agent_feed_metadata(ctx: Ctx, if_none_match: IfNoneMatch = None) -> Response:
    return _file(ctx, METADATA, "application/json", if_none_match)


@router.get(
    "/sitemap.xml",
    operation_id="getSitemap",
    summary="The parts of the site map",
    response_class=FileResponse,
    responses={200: {"content": {"application/xml": {}}}, **_NOT_MODIFIED, **responses(FeedNotMade)},
)
async def get_sitemap(ctx: Ctx, if_none_match: IfNoneMatch = None) -> Response:
    return _file(ctx, INDEX, "application/xml", if_none_match)


@router.get(
    "/sitemaps/{part}",
    operation_id="getSitemapPart",
    summary="Addresses of at most 50,000 products, packed",
    response_class=FileResponse,
    responses={200: {"content": {"application/gzip": {}}}, **_NOT_MODIFIED, **responses(PartNotFound)},
)
async def get_sitemap_part(
    ctx: Ctx, part: Annotated[str, Path(max_length=100)], if_none_match: IfNoneMatch = None
) -> Response:
    if not _PART.fullmatch(part) or made(ctx.settings, part) is None:
        raise PartNotFound("Read /sitemap.xml: it lists the parts.")
    return _file(ctx, part, "application/gzip", if_none_match)


def _file(ctx: Context, name: str, media_type: str, if_none_match: str | None) -> Response:
    found = made(ctx.settings, name)
    if found is None:
        raise FeedNotMade("A worker makes it for the first time; ask again.", headers={"Retry-After": "30"})
    headers = {"ETag": found.etag, "Cache-Control": "public, max-age=60"}
    if etags.matches(if_none_match, found.etag):
        return Response(status_code=304, headers=headers)
    return FileResponse(found.path, headers=headers, media_type=media_type)
