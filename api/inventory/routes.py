"""HTTP of stock, for sellers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from api.inventory import commands, queries
from api.inventory.backorders import commands as backorders
from api.inventory.errors import (
    BelowZero,
    KitHasNoStock,
    ReplenishmentClosed,
    ReplenishmentNotFound,
    SameWarehouse,
    StockChanged,
    StockOfKeys,
    UnitsOwed,
    VariantNotFound,
    WarehouseNotFound,
)
from api.inventory.queries import VariantFilter
from api.inventory.replenishments import commands as replenishing
from api.inventory.schemas import (
    AdjustedStock,
    AdjustStock,
    AllowBackorders,
    CountedStock,
    CountStock,
    ReceiveStock,
    ReplenishmentBody,
    ReplenishmentList,
    ReplenishStock,
    SetLowStock,
    StockedVariantList,
    TransferredStock,
    TransferStock,
    VariantStock,
    WarehouseList,
)
from api.kernel import etags
from api.kernel.actor import Actor
from api.kernel.auth import SignedIn
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.pagination import Page, PageParams, Pagination, by_id, pagination, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses

router = APIRouter(prefix="/inventory", tags=["inventory"])

_KEYED = (NotAuthenticated, ValidationFailed, IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)
_OF_LEVEL = (
    VariantNotFound,
    StockOfKeys,
    WarehouseNotFound,
    StockChanged,
    UnitsOwed,
    KitHasNoStock,
    NotAuthenticated,
    ValidationFailed,
)
_WAREHOUSES, _VARIANTS = "warehouses", "stocked-variants"
IfMatch = Annotated[str | None, Header(max_length=200, description="ETag of the stock that was counted")]


VariantId = Annotated[UUID, Depends(id_in_path("variantId", VariantNotFound))]
WarehouseId = Annotated[UUID, Depends(id_in_path("warehouseId", WarehouseNotFound))]
ReplenishmentId = Annotated[UUID, Depends(id_in_path("replenishmentId", ReplenishmentNotFound))]


@router.get(
    "/warehouses",
    operation_id="listWarehouses",
    summary="The warehouses that stock can be in, with where they are",
    responses=responses(NotAuthenticated, ValidationFailed),
)
async def list_warehouses(
    ctx: Ctx, actor: SignedIn, page: Page, country: Annotated[str | None, Query(min_length=2, max_length=100)] = None
) -> WarehouseList:
    """In the order of their codes."""
    after = place_of(page, ctx.keys, _WAREHOUSES, lambda values: values[0])
    async with ctx.db.read() as tx:
        found = await queries.warehouses(tx, country, page, after)
    shown = found[: page.limit]
    return WarehouseList(warehouses=shown, pagination=_pagination(ctx, page, _WAREHOUSES, [w.code for w in found]))


@router.get(
    "/variants",
    operation_id="listVariantStock",
    summary="One's own variants with their stock",
    responses=responses(NotAuthenticated, ValidationFailed),
)
async def list_variant_stock(
    ctx: Ctx,
    actor: SignedIn,
    page: Page,
    low: Annotated[bool | None, Query(description="Whether few are left")] = None,
    warehouse_id: Annotated[UUID | None, Query(alias="warehouseId", description="With a level there")] = None,
) -> StockedVariantList:
    after = place_of(page, ctx.keys, _VARIANTS, by_id)
    async with ctx.db.read() as tx:
        found = await queries.own_variants(tx, actor, VariantFilter(low, warehouse_id), page, after)
    keys = [str(variant.variant_id) for variant in found]
    return StockedVariantList(variants=found[: page.limit], pagination=_pagination(ctx, page, _VARIANTS, keys))


@router.get(
    "/variants/{variantId}",
    operation_id="getVariantStock",
    summary="Where a variant's units are, and what changed last",
    response_model=VariantStock,
    responses=responses(VariantNotFound, NotAuthenticated),
)
async def variant_stock(ctx: Ctx, actor: SignedIn, variant_id: VariantId) -> Response:
    return await _stock(ctx, actor, variant_id)


@router.patch(
    "/variants/{variantId}",
    operation_id="setLowStock",
    summary="Say from how many units few are left of a variant",
    response_model=VariantStock,
    responses=responses(VariantNotFound, KitHasNoStock, NotAuthenticated, ValidationFailed),
)
async def set_low_stock(ctx: Ctx, actor: SignedIn, variant_id: VariantId, body: SetLowStock) -> Response:
    """The event `StockLow` is published once each time the stock falls to it."""
    await commands.set_low_stock(ctx, actor, variant_id, body.low_stock_at)
    return await _stock(ctx, actor, variant_id)


@router.put(
    "/variants/{variantId}/warehouses/{warehouseId}",
    operation_id="countStock",
    summary="Book what was counted of a variant in a warehouse",
    response_model=CountedStock,
    responses=responses(*_OF_LEVEL),
)
async def count_stock(
    *,
    ctx: Ctx,
    actor: SignedIn,
    variant_id: VariantId,
    warehouse_id: WarehouseId,
    body: CountStock,
    if_match: IfMatch = None,
) -> Response:
    """Sets the sellable units there; a first count puts the variant into the warehouse.

    With `If-Match` it is refused when units were sold, moved or booked since the stock was read.
    """
    expected = etags.expected_version(if_match)
    counted = await commands.count(
        ctx, actor, variant_id=variant_id, warehouse_id=warehouse_id, counted=body.available, expected=expected
    )
    return _tagged(counted.model_dump_json(by_alias=True).encode(), counted.version)


@router.put(
    "/variants/{variantId}/warehouses/{warehouseId}/backorders",
    operation_id="allowBackorders",
    summary="Say how many units of a variant may be sold before a warehouse has them",
    response_model=VariantStock,
    responses=responses(*_OF_LEVEL),
)
async def allow_backorders(
    *,
    ctx: Ctx,
    actor: SignedIn,
    variant_id: VariantId,
    warehouse_id: WarehouseId,
    body: AllowBackorders,
    if_match: IfMatch = None,
) -> Response:
    """With a limit of 0 none may. A limit below what is owed is refused.

    With `If-Match` it is refused when units were sold, moved or booked since the stock was read.
    """
    expected = etags.expected_version(if_match)
    await backorders.allow(ctx, actor, variant_id, warehouse_id, body, expected=expected)
    return await _stock(ctx, actor, variant_id)


@router.post(
    "/adjustments",
    status_code=201,
    response_model=AdjustedStock,
    operation_id="adjustStock",
    summary="Book units in or out of a warehouse by hand",
    responses=responses(VariantNotFound, StockOfKeys, WarehouseNotFound, BelowZero, KitHasNoStock, *_KEYED),
)
async def adjust_stock(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: AdjustStock) -> Response:
    return await commands.adjust(ctx, actor, key, body)


@router.post(
    "/transfers",
    status_code=201,
    response_model=TransferredStock,
    operation_id="transferStock",
    summary="Move units from one warehouse to another",
    responses=responses(
        SameWarehouse, VariantNotFound, StockOfKeys, WarehouseNotFound, BelowZero, KitHasNoStock, *_KEYED
    ),
)
async def transfer_stock(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: TransferStock) -> Response:
    return await commands.transfer(ctx, actor, key, body)


@router.post(
    "/replenishments",
    status_code=201,
    response_model=ReplenishmentBody,
    operation_id="replenishStock",
    summary="Announce units that are on their way to a warehouse",
    responses=responses(VariantNotFound, WarehouseNotFound, KitHasNoStock, *_KEYED),
)
async def replenish_stock(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: ReplenishStock) -> Response:
    return await replenishing.replenish(ctx, actor, key, body)


@router.get(
    "/variants/{variantId}/replenishments",
    operation_id="listReplenishments",
    summary="What was sent of a variant to its warehouses",
    responses=responses(VariantNotFound, NotAuthenticated),
)
async def list_replenishments(ctx: Ctx, actor: SignedIn, variant_id: VariantId) -> ReplenishmentList:
    """The latest 50, newest first."""
    async with ctx.db.read() as tx:
        return ReplenishmentList(replenishments=await queries.replenishments_of(tx, actor, variant_id))


@router.post(
    "/replenishments/{replenishmentId}/receipts",
    response_model=ReplenishmentBody,
    operation_id="receiveStock",
    summary="Book what has arrived of a replenishment as stock",
    responses=responses(ReplenishmentNotFound, ReplenishmentClosed, *_KEYED),
)
async def receive_stock(
    ctx: Ctx, actor: SignedIn, key: RequiredKey, replenishment_id: ReplenishmentId, body: ReceiveStock
) -> Response:
    return await replenishing.receive(ctx, actor, key, replenishment_id, body)


@router.delete(
    "/replenishments/{replenishmentId}",
    operation_id="cancelReplenishment",
    summary="Say that the rest of a replenishment does not come",
    responses=responses(ReplenishmentNotFound, NotAuthenticated),
)
async def cancel_replenishment(ctx: Ctx, actor: SignedIn, replenishment_id: ReplenishmentId) -> ReplenishmentBody:
    return await replenishing.cancel(ctx, actor, replenishment_id)


async def _stock(ctx: Context, actor: Actor, variant_id: UUID) -> Response:
    async with ctx.db.read(consistent=True) as tx:
        body = await queries.stock_of(tx, actor, variant_id)
    return _tagged(body.model_dump_json(by_alias=True).encode(), body.version)


def _tagged(content: bytes, version: int) -> Response:
    headers = {"ETag": etags.etag_of(version, content), "Cache-Control": "private, no-cache"}
    return Response(content, 200, headers, "application/json")


def _pagination(ctx: Context, page: PageParams, listing: str, keys: list[str]) -> Pagination:
    """`keys`: those of the rows that were read, one more than are shown where there is another page."""
    following = [keys[page.limit - 1]] if len(keys) > page.limit else None
    return pagination(page, ctx.keys, listing, None, following)
