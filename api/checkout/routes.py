"""HTTP of the checkout: placing an order."""

from fastapi import APIRouter, Request, Response

from api.catalog.restrictions.rules import Restricted
from api.checkout import commands
from api.checkout.errors import (
    AddressUnknown,
    CartBeingOrdered,
    CartChanging,
    CartEmpty,
    CartOrdered,
    CouponNotApplied,
    GuestDetailsMissing,
    NotOrderable,
    OrderPending,
    OutOfStock,
    PaymentDeclined,
    PaymentUnavailable,
    SpeedNotOffered,
    TotalChanged,
)
from api.checkout.preview import preview
from api.checkout.schemas import OrderPreview, PlacedOrder, PlaceOrder, PreviewOrder
from api.delivery.errors import AddressNotValid
from api.kernel.auth import CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.problems import responses
from api.kernel.readers import header_in_document, reader_in

router = APIRouter(tags=["orders"])
_REFUSED = (
    *(OutOfStock, TotalChanged, PaymentDeclined, PaymentUnavailable, OrderPending),
    *(CartBeingOrdered, CartOrdered, CartChanging, CouponNotApplied, AddressNotValid, SpeedNotOffered),
    *(ValidationFailed, GuestDetailsMissing, NotOrderable, Restricted, CartEmpty, AddressUnknown),
)
_NOT_PLACEABLE = (
    *(OutOfStock, TotalChanged, CartBeingOrdered, CartOrdered, CouponNotApplied, AddressNotValid, SpeedNotOffered),
    *(ValidationFailed, NotOrderable, Restricted, CartEmpty, AddressUnknown),
)
_KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)


@router.post(
    "/orders",
    status_code=201,
    response_model=PlacedOrder,
    operation_id="placeOrder",
    summary="Buy: the lines of the body, or the cart",
    responses=responses(*_REFUSED, *_KEYED),
    openapi_extra=header_in_document(),
)
async def place_order(ctx: Ctx, request: Request, actor: CurrentActor, key: RequiredKey, body: PlaceOrder) -> Response:
    return await commands.place_order(ctx, actor, key, body, reader_in(ctx, request, None).language)


@router.post(
    "/orders/preview",
    operation_id="previewOrder",
    summary="What an order would cost, where it would go and when it would arrive",
    responses=responses(*_NOT_PLACEABLE),
)
async def preview_order(ctx: Ctx, actor: CurrentActor, body: PreviewOrder) -> OrderPreview:
    """Nothing is stored and no stock is held."""
    return await preview(ctx, actor, body)
