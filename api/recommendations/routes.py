"""HTTP of recommendations."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.catalog.errors import ProductNotFound
from api.catalog.queries import products
from api.catalog.routes import ProductId
from api.kernel.auth import AccountActor, CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.languages import Reader
from api.kernel.problems import responses
from api.kernel.readers import CurrentReader, header_in_document
from api.recommendations.recommender import Recommender
from api.recommendations.schemas import Recommendations

router = APIRouter(tags=["recommendations"])

Limit = Annotated[int, Query(ge=1, le=50)]


async def recommender_of(request: Request) -> Recommender:
    """The application's recommender client."""
    return cast("Recommender", request.app.state.recommender)


Ranked = Annotated[Recommender, Depends(recommender_of)]


@router.get(
    "/recommendations/for-you",
    operation_id="recommendForYou",
    summary="Recommendations for the caller",
    response_model=Recommendations,
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
    openapi_extra=header_in_document(),
)
async def for_you(
    *,
    recommender: Ranked,
    actor: CurrentActor,
    reader: CurrentReader,
    user_id: Annotated[UUID | None, Query(alias="userId")] = None,
    limit: Limit = 20,
) -> Response:
    """Recommendations for an account, a guest session or an anonymous caller.

    Always returns a list; `source` names its source.
    """
    if user_id is not None and user_id != actor.user_id:
        if not actor.signed_in:
            raise NotAuthenticated("Sign in to see this account's recommendations, or leave `userId` out.")
        raise Forbidden("Recommendations are for the account itself.")
    return _rendered(await recommender.for_you(actor, limit, reader), reader)


@router.get(
    "/products/{productId}/related",
    operation_id="recommendRelated",
    summary="Products that go with this one",
    response_model=Recommendations,
    responses=responses(ProductNotFound, ValidationFailed),
    openapi_extra=header_in_document(),
)
async def related(
    *,
    ctx: Ctx,
    recommender: Ranked,
    actor: AccountActor,
    product_id: ProductId,
    reader: CurrentReader,
    limit: Limit = 12,
) -> Response:
    """Products that go with this one, frequently bought together first."""
    if not recommender.shows(product_id):
        async with ctx.db.read() as tx:
            await products.require_visible(tx, actor, product_id)
    return _rendered(await recommender.related(product_id, limit, reader), reader)


def _rendered(body: Recommendations, reader: Reader) -> Response:
    return Response(body.model_dump_json(by_alias=True), headers=reader.headers, media_type="application/json")
