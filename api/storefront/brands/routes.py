"""HTTP of brand pages."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from api.catalog.lists import lists_of
from api.catalog.queries.listing import ProductQuery
from api.catalog.schemas import Sort
from api.kernel.errors import ValidationFailed
from api.kernel.pagination import Cursor, PageLimit, PageNumber, PageParams, Pagination
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document
from api.storefront.brands.errors import BrandNotFound, BrandsNotCounted
from api.storefront.brands.names import Brand, grouped, slug_of
from api.storefront.brands.schemas import BrandCard, BrandList, BrandPage

router = APIRouter(prefix="/brands", tags=["storefront"])


@router.get(
    "",
    operation_id="listBrands",
    summary="Brands of what is on sale",
    responses=responses(ValidationFailed, BrandsNotCounted),
)
async def list_brands(
    request: Request,
    q: Annotated[str, Query(max_length=100, description="What the name begins with")] = "",
    page: PageNumber = 1,
    limit: PageLimit = 50,
) -> BrandList:
    """By name, each with its number of products; spellings of one brand are one."""
    asked = PageParams(page, limit, None)
    found = [brand for slug, brand in (await _brands(request)).items() if slug.startswith(slug_of(q))]
    shown = found[asked.offset : asked.offset + limit]
    more = asked.offset + limit < len(found)
    return BrandList(
        brands=[BrandCard(slug=brand.slug, name=brand.name, product_count=brand.products) for brand in shown],
        pagination=Pagination(page=page, limit=limit, total=len(found), has_more=more, next_cursor=None),
    )


@router.get(
    "/{slug}",
    operation_id="getBrand",
    summary="One brand and what is on sale of it",
    response_model=BrandPage,
    responses=responses(BrandNotFound, ValidationFailed, BrandsNotCounted),
    openapi_extra=header_in_document(),
)
async def get_brand(
    *,
    request: Request,
    slug: Annotated[str, Path(max_length=255, examples=["acme"])],
    sort: Sort = "relevance",
    page: PageNumber = 1,
    limit: PageLimit = 20,
    cursor: Cursor = None,
    reader: CurrentReader,
) -> Response:
    """`listing` is a page of GET /products of all its spellings."""
    brand = (await _brands(request)).get(slug_of(slug))
    if brand is None:
        raise BrandNotFound
    query = ProductQuery(brands=tuple(sorted(brand.spellings)), sort=sort)
    lists = await lists_of(request)
    listing, _ = await lists.page(query, PageParams(page, limit, cursor), reader, may_lag=True)
    card = BrandCard(slug=brand.slug, name=brand.name, product_count=brand.products)
    body = {**card.model_dump(by_alias=True), "spellings": brand.spellings, "listing": orjson.Fragment(listing)}
    return Response(orjson.dumps(body), headers=reader.headers, media_type="application/json")


async def _brands(request: Request) -> dict[str, Brand]:
    counted = await (await lists_of(request)).counter.brands()
    if counted is None:
        raise BrandsNotCounted("Ask again in some seconds.")
    return grouped(counted)
