"""HTTP of parcels on their way: carriers' messages, and who reads them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from api.kernel import clock
from api.kernel.auth import SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import NotAuthenticated, ValidationFailed
from api.kernel.problems import responses
from api.orders.errors import OrderNotFound, ParcelNotFound
from api.orders.invoices.routes import Reader
from api.orders.parcels.routes import ParcelId
from api.orders.routes import OrderId
from api.orders.tracking.commands.scans import take_scans
from api.orders.tracking.errors import ScanReused, TrackingNotFound
from api.orders.tracking.queries import tracking_by_link, tracking_of, tracking_of_seller
from api.orders.tracking.schemas import OrderTracking, ParcelTracking, ScansTaken
from api.shipping.carriers.registry import carrier_named, carrier_names
from api.shipping.errors import CarrierNotFound, WebhookRefused

router = APIRouter(tags=["orders"])


@router.post(
    "/shipping/webhooks/{carrier}",
    operation_id="receiveScans",
    summary="A carrier says what happened to its parcels",
    responses=responses(CarrierNotFound, WebhookRefused, ScanReused, ValidationFailed),
)
async def receive_scans(ctx: Ctx, request: Request, carrier: Annotated[str, Path(max_length=20)]) -> ScansTaken:
    """A signed message, in the carrier's own format. All of its events are taken, or none; an event that was taken
    before changes nothing, and one of an unknown tracking number is kept until its label is known. The sandbox carrier
    signs `TIME.BODY` with HMAC-SHA256: `Souk-Signature: t=SECONDS,v1=HEX`."""
    adapter = carrier_named(ctx, carrier)
    if adapter is None:
        raise CarrierNotFound(carrier_names(ctx))
    scans = adapter.scans(request.headers, await request.body(), clock.now())
    return await take_scans(ctx, carrier, scans)


@router.get(
    "/orders/{orderId}/tracking",
    operation_id="trackOrder",
    summary="Where the parcels of an order are, and how late",
    responses=responses(OrderNotFound),
)
async def track_order(ctx: Ctx, actor: Reader, order_id: OrderId) -> OrderTracking:
    """For its buyer; a guest's mailed code (`X-Order-Token`) opens it from any device."""
    async with ctx.db.read() as tx:
        return await tracking_of(ctx, tx, actor, order_id)


@router.get(
    "/sellers/me/parcels/{parcelId}/tracking",
    operation_id="trackParcel",
    summary="Where a parcel of yours is",
    responses=responses(ParcelNotFound, NotAuthenticated),
)
async def track_parcel(ctx: Ctx, actor: SignedIn, parcel_id: ParcelId) -> ParcelTracking:
    async with ctx.db.read() as tx:
        return await tracking_of_seller(ctx, tx, actor, parcel_id)


@router.get(
    "/tracking/{code}",
    operation_id="trackByLink",
    summary="Where the parcel of a tracking link is",
    responses=responses(TrackingNotFound),
)
async def track_by_link(ctx: Ctx, code: Annotated[str, Path(max_length=100)]) -> ParcelTracking:
    """For whoever has the link: it says nothing of the order, its buyer or the address."""
    async with ctx.db.read() as tx:
        parcel = await tracking_by_link(ctx, tx, code)
    if parcel is None:
        raise TrackingNotFound
    return parcel
