"""HTTP of a seller's own products."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.catalog.own.queries import OwnFilter, own_products
from api.catalog.own.schemas import OwnProductList
from api.catalog.pictures.queries import AwaitedFilter, awaited_images
from api.catalog.pictures.schemas import AwaitedList, AwaitedState
from api.catalog.schemas import Status
from api.kernel.auth import SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import Page, by_id, page_of, place_of
from api.kernel.problems import responses

router = APIRouter(tags=["catalog"])


@router.get(
    "/sellers/me/products",
    operation_id="listOwnProducts",
    summary="One's own products, whether on sale or not",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
)
async def list_own_products(
    *,
    ctx: Ctx,
    actor: SellerActor,
    page: Page,
    status: Annotated[Status | None, Query()] = None,
    text: Annotated[
        str | None, Query(alias="q", min_length=1, max_length=200, description="a part of the title, or a SKU")
    ] = None,
) -> OwnProductList:
    """The newest first, drafts among them, as they are now; not those that were deleted."""
    wanted = OwnFilter(status, None if text is None else text.strip() or None)
    listing = f"own-products:{wanted.status}:{wanted.text}"
    after = place_of(page, ctx.keys, listing, by_id)
    async with ctx.db.read() as tx:
        found = await own_products(tx, actor, wanted, page, after)
    shown, more = found[: page.limit], len(found) > page.limit
    following = page_of(page, ctx.keys, listing, shown, lambda one: [one.product_id], more=more)
    return OwnProductList(products=shown, pagination=following)


@router.get(
    "/sellers/me/awaited-images",
    operation_id="listAwaitedImages",
    summary="Pictures of one's own products that are not fetched yet, or could not be",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
)
async def list_awaited_images(
    *,
    ctx: Ctx,
    actor: SellerActor,
    page: Page,
    state: Annotated[AwaitedState | None, Query()] = None,
    job_id: Annotated[UUID | None, Query(alias="jobId", description="the file that named them")] = None,
) -> AwaitedList:
    """In the order of their addresses, with the reason why a fetch has failed. A picture that is shown is no more
    among them, and neither is one that its product names no more."""
    wanted = AwaitedFilter(state, job_id)
    listing = f"awaited-images:{state}:{job_id}"
    after = place_of(page, ctx.keys, listing, lambda values: (values[0], UUID(values[1])))
    async with ctx.db.read() as tx:
        found = await awaited_images(tx, actor, wanted, page, after)
    shown, more = found[: page.limit], len(found) > page.limit
    following = page_of(page, ctx.keys, listing, shown, lambda one: [one.source, one.image_id], more=more)
    return AwaitedList(images=shown, pagination=following)
