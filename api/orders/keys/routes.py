"""HTTP of licence keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.inventory.errors import VariantNotFound
from api.kernel.auth import SellerActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.orders.keys import commands, queries
from api.orders.keys.errors import HasFile, KeysAreSold, KeysNotInPool, NotDigital
from api.orders.keys.schemas import AddedKeys, AddKeys, KeyPoolOverview, WithdrawKeys, WithdrawnKeys

router = APIRouter(tags=["orders"])
ProductId = Annotated[UUID, Depends(id_in_path("productId", VariantNotFound))]
VariantId = Annotated[UUID, Depends(id_in_path("variantId", VariantNotFound))]
_SELLING = (NotAuthenticated, Forbidden, VariantNotFound, NotDigital)


@router.post(
    "/products/{productId}/variants/{variantId}/keys",
    operation_id="addLicenceKeys",
    summary="Put licence keys into the pool of a digital variant",
    responses=responses(*_SELLING, HasFile, ValidationFailed),
)
async def add_licence_keys(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, variant_id: VariantId, body: AddKeys
) -> AddedKeys:
    """Each key is one unit of stock. Keys are kept encrypted and shown to their buyers alone; the same request again
    changes nothing."""
    return await commands.add_keys(ctx, actor, product_id, variant_id, body.keys)


@router.get(
    "/products/{productId}/variants/{variantId}/keys",
    operation_id="getLicenceKeyPool",
    summary="How many licence keys of a digital variant there are",
    responses=responses(*_SELLING),
)
async def get_licence_key_pool(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, variant_id: VariantId
) -> KeyPoolOverview:
    """Counts, and who withdrew how many; the keys themselves are not shown."""
    async with ctx.db.read() as tx:
        return await queries.overview(tx, actor, product_id, variant_id)


@router.post(
    "/products/{productId}/variants/{variantId}/keys/withdrawals",
    operation_id="withdrawLicenceKeys",
    summary="Take unsold licence keys out of the pool of a digital variant",
    responses=responses(*_SELLING, KeysNotInPool, KeysAreSold, ValidationFailed),
)
async def withdraw_licence_keys(
    ctx: Ctx, actor: SellerActor, product_id: ProductId, variant_id: VariantId, body: WithdrawKeys
) -> WithdrawnKeys:
    """All of them or none: nobody gets them any more, also when they are added again, and each is one unit of stock
    less. A key that a buyer has is refused, and so are more keys than are for sale: as many as there are orders to be
    delivered stay. The same request again changes nothing."""
    return await commands.withdraw_keys(ctx, actor, (product_id, variant_id), body)
