"""HTTP of what a shopper looked at."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from redis.exceptions import RedisError

from api.kernel.auth import CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import NotAuthenticated, Unavailable, ValidationFailed
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document
from api.storefront.viewed import commands
from api.storefront.viewed.schemas import RecentlyViewed, ViewingSettings

router = APIRouter(prefix="/users/me/recently-viewed", tags=["storefront"])
Limit = Annotated[int, Query(ge=1, le=50)]
_AGAIN = "The list cannot be reached now."


@router.get(
    "",
    operation_id="listRecentlyViewed",
    summary="What you looked at lately",
    responses=responses(NotAuthenticated, ValidationFailed),
    openapi_extra=header_in_document(),
)
async def list_recently_viewed(
    *, ctx: Ctx, actor: CurrentActor, limit: Limit = 20, reader: CurrentReader, response: Response
) -> RecentlyViewed:
    """Of an account, or of a guest's session, by the behaviour events that were accepted."""
    response.headers.update(reader.headers)
    return await commands.recently_viewed(ctx, actor, limit, reader)


@router.delete(
    "",
    status_code=204,
    operation_id="clearRecentlyViewed",
    summary="Forget what you looked at",
    responses=responses(NotAuthenticated, Unavailable),
)
async def clear_recently_viewed(ctx: Ctx, actor: CurrentActor) -> Response:
    """Recommendations forget it too."""
    try:
        await commands.clear(ctx, actor)
    except RedisError as error:
        raise Unavailable(_AGAIN) from error
    return Response(status_code=204)


@router.put(
    "/settings",
    operation_id="setRecentlyViewed",
    summary="Choose whether what you look at is kept",
    responses=responses(NotAuthenticated, ValidationFailed, Unavailable),
    openapi_extra=header_in_document(),
)
async def set_recently_viewed(
    *, ctx: Ctx, actor: CurrentActor, body: ViewingSettings, reader: CurrentReader, response: Response
) -> RecentlyViewed:
    """With `enabled` false what was kept is forgotten, and nothing more is kept."""
    try:
        await commands.choose(ctx, actor, enabled=body.enabled)
    except RedisError as error:
        raise Unavailable(_AGAIN) from error
    response.headers.update(reader.headers)
    return await commands.recently_viewed(ctx, actor, 20, reader)
