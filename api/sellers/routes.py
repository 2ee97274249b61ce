"""HTTP of stores."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.delivery.errors import AddressNotValid
from api.kernel.actor import Actor
from api.kernel.auth import AccountActor, AdminActor, SellerActor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.sellers import commands, queries
from api.sellers.errors import SellerNotFound
from api.sellers.schemas import Store, StoreIn

router = APIRouter(prefix="/sellers", tags=["sellers"])
SellerId = Annotated[UUID, Depends(id_in_path("sellerId", SellerNotFound))]
_OWN = (NotAuthenticated, Forbidden, SellerNotFound)


@router.get(
    "/me",
    operation_id="getOwnStore",
    summary="Your store, with all that you have said of it",
    responses=responses(*_OWN),
)
async def get_own_store(ctx: Ctx, actor: SellerActor) -> Store:
    """Also how to reach a private seller."""
    return await _own(ctx, actor)


@router.put(
    "/me",
    operation_id="describeStore",
    summary="Say who you are and how you sell",
    responses=responses(*_OWN, ValidationFailed, AddressNotValid),
)
async def describe_store(ctx: Ctx, actor: SellerActor, body: StoreIn) -> Store:
    """Replace the whole profile. A trader's contact is public by law."""
    await commands.describe_store(ctx, actor, body)
    return await _own(ctx, actor)


@router.get(
    "/{sellerId}",
    operation_id="getStore",
    summary="A store: rating, policies, and who the trader is",
    responses=responses(SellerNotFound),
)
async def get_store(ctx: Ctx, actor: AccountActor, seller_id: SellerId) -> Store:
    """`products` is the address of what the store sells."""
    async with ctx.db.read() as tx:
        return await queries.store_of(tx, actor, seller_id)


@router.put(
    "/{sellerId}/verification",
    status_code=204,
    operation_id="verifySeller",
    summary="Say that a seller is who they say they are",
    responses=responses(NotAuthenticated, Forbidden, SellerNotFound),
)
async def verify_seller(ctx: Ctx, actor: AdminActor, seller_id: SellerId) -> Response:
    """For administrators. What the seller has made is judged within seconds, and sold if nothing speaks against it."""
    await commands.verify_seller(ctx, actor, seller_id)
    return Response(status_code=204)


async def _own(ctx: Context, actor: Actor) -> Store:
    if actor.user_id is None:
        raise SellerNotFound
    async with ctx.db.read() as tx:
        return await queries.store_of(tx, actor, actor.user_id)
