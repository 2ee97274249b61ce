"""HTTP of a seller's orders and parcels."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.kernel.auth import SellerActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.pagination import Page, pagination, place_of
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.orders.errors import (
    ImpossibleMove,
    NothingStays,
    NotInParcel,
    OrderNotFound,
    OthersNotReady,
    ParcelNotFound,
    StillBeingPlaced,
)
from api.orders.labels.errors import HasLabel
from api.orders.parcels.changes.cancelling import cancel_parcel
from api.orders.parcels.changes.splitting import split_parcel
from api.orders.parcels.commands import advance_parcel
from api.orders.parcels.queries import SellerFilter, seller_order, seller_orders
from api.orders.parcels.schemas import (
    CancelledParcel,
    CancelParcel,
    ParcelState,
    SellerOrderBody,
    SellerOrderList,
    ShipParcel,
    SplitParcel,
    SplitState,
)
from api.orders.queries.listing import Position
from api.orders.schemas import ParcelStatus

router = APIRouter(prefix="/sellers/me", tags=["orders"])
_PROBLEMS = (
    ParcelNotFound,
    ImpossibleMove,
    StillBeingPlaced,
    Forbidden,
    NotAuthenticated,
    ValidationFailed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    RequestInFlight,
)
_ANSWERS = responses(*_PROBLEMS)


OrderId = Annotated[UUID, Depends(id_in_path("orderId", OrderNotFound))]
ParcelId = Annotated[UUID, Depends(id_in_path("parcelId", ParcelNotFound))]


async def seller_filter(
    status: Annotated[ParcelStatus | None, Query(description="a parcel of yours has it")] = None,
    since: Annotated[date | None, Query(alias="from", description="placed on this day (UTC) or later")] = None,
    until: Annotated[date | None, Query(alias="to", description="placed on this day (UTC) or earlier")] = None,
    text: Annotated[str | None, Query(alias="q", max_length=50, description="how the order's number begins")] = None,
) -> SellerFilter:
    return SellerFilter(status, since, until, text)


@router.get(
    "/orders",
    operation_id="listSellerOrders",
    summary="The orders that hold lines of yours, newest first",
    responses=responses(NotAuthenticated, Forbidden, ValidationFailed),
)
async def list_seller_orders(
    ctx: Ctx, actor: SellerActor, page: Page, wanted: Annotated[SellerFilter, Depends(seller_filter)]
) -> SellerOrderList:
    listing = f"seller-orders:{actor.user_id}:{wanted.status}:{wanted.since}:{wanted.until}:{wanted.text}"
    after = place_of(page, ctx.keys, listing, Position.of)
    async with ctx.db.read() as tx:
        found = await seller_orders(tx, actor, wanted, page=page, after=after)
    following = None if found.next is None else found.next.fields()
    return SellerOrderList(
        orders=found.orders,
        pagination=pagination(page, ctx.keys, listing, found.total, following),
    )


@router.get(
    "/orders/{orderId}",
    operation_id="getSellerOrder",
    summary="Your part of an order: parcels, lines, and where they go",
    responses=responses(OrderNotFound, NotAuthenticated, Forbidden),
)
async def get_seller_order(ctx: Ctx, actor: SellerActor, order_id: OrderId) -> SellerOrderBody:
    async with ctx.db.read() as tx:
        return await seller_order(tx, actor, order_id)


@router.post(
    "/parcels/{parcelId}/process",
    response_model=ParcelState,
    operation_id="processParcel",
    summary="Start on a parcel",
    responses=_ANSWERS,
)
async def process_parcel(ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId) -> Response:
    return await advance_parcel(ctx, actor, key, parcel_id, "processing")


@router.post(
    "/parcels/{parcelId}/ship",
    response_model=ParcelState,
    operation_id="shipParcel",
    summary="Hand a parcel to its carrier",
    responses=responses(OthersNotReady, *_PROBLEMS),
)
async def ship_parcel(
    ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId, body: ShipParcel | None = None
) -> Response:
    return await advance_parcel(ctx, actor, key, parcel_id, "shipped", label=body)


@router.post(
    "/parcels/{parcelId}/deliver",
    response_model=ParcelState,
    operation_id="deliverParcel",
    summary="A parcel has arrived",
    responses=_ANSWERS,
)
async def deliver_parcel(ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId) -> Response:
    return await advance_parcel(ctx, actor, key, parcel_id, "delivered")


@router.post(
    "/parcels/{parcelId}/split",
    response_model=SplitState,
    operation_id="splitParcel",
    summary="Send a part of a parcel in a parcel of its own",
    responses=responses(NotInParcel, NothingStays, HasLabel, *_PROBLEMS),
)
async def split(ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId, body: SplitParcel) -> Response:
    return await split_parcel(ctx, actor, key, parcel_id, body)


@router.post(
    "/parcels/{parcelId}/cancel",
    response_model=CancelledParcel,
    operation_id="cancelParcel",
    summary="Do not send a parcel, or some of its units: the buyer is paid back",
    responses=responses(NotInParcel, HasLabel, *_PROBLEMS),
)
async def cancel(ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId, body: CancelParcel) -> Response:
    return await cancel_parcel(ctx, actor, key, parcel_id, body)
