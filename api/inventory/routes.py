"""HTTP of stock, for sellers."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.inventory import commands, queries
from api.inventory.errors import BelowZero, VariantNotFound, WarehouseNotFound
from api.inventory.schemas import AdjustedStock, AdjustStock, VariantStock
from api.kernel.auth import SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.ids import parse_id
from api.kernel.problems import responses

router = APIRouter(prefix="/inventory", tags=["inventory"])


@router.get(
    "/variants/{variantId}",
    operation_id="getVariantStock",
    summary="Where a variant's units are, and what changed last",
    responses=responses(VariantNotFound, NotAuthenticated),
)
async def variant_stock(
    ctx: Ctx, actor: SignedIn, variant_id: Annotated[str, Path(alias="variantId", max_length=100)]
) -> VariantStock:
    found = parse_id(variant_id)
    if found is None:
        raise VariantNotFound
    async with ctx.db.read(consistent=True) as tx:
        return await queries.stock_of(tx, actor, found)


@router.post(
    "/adjustments",
    status_code=201,
    response_model=AdjustedStock,
    operation_id="adjustStock",
    summary="Book units in or out of a warehouse by hand",
    responses=responses(
        VariantNotFound,
        WarehouseNotFound,
        BelowZero,
        NotAuthenticated,
        ValidationFailed,
        IdempotencyKeyMissing,
        IdempotencyKeyReused,
        RequestInFlight,
    ),
)
async def adjust_stock(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: AdjustStock) -> Response:
    return await commands.adjust(ctx, actor, key, body)
