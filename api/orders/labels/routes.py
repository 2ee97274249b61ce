"""HTTP of labels."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from fastapi import APIRouter, Response

from api.kernel.actor import Actor
from api.kernel.auth import SellerActor, SignedIn
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.problems import responses
from api.orders.errors import ImpossibleMove, ParcelNotFound, StillBeingPlaced
from api.orders.labels import commands
from api.orders.labels.drawing import LabelOnPaper, as_pdf, as_png
from api.orders.labels.errors import CarrierSilent, HasLabel, LabelClosed, LabelRefused, NoLabel
from api.orders.labels.queries import label_body, label_on_paper
from api.orders.labels.schemas import AskRates, BuyLabel, LabelBody, RatesBody
from api.orders.parcels.routes import ParcelId
from api.shipping.errors import UnknownCarrier

router = APIRouter(prefix="/sellers/me/parcels/{parcelId}", tags=["orders"])
Draw = Callable[[LabelOnPaper], bytes]
_KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)
_FILE = responses(NoLabel, LabelClosed, ParcelNotFound, Forbidden, NotAuthenticated)
_SENDING = (ParcelNotFound, ImpossibleMove, Forbidden, NotAuthenticated, ValidationFailed, CarrierSilent)


@router.post(
    "/rates",
    operation_id="askParcelRates",
    summary="What carriers ask for a parcel, and when they bring it",
    responses=responses(*_SENDING),
)
async def ask_parcel_rates(ctx: Ctx, actor: SignedIn, parcel_id: ParcelId, body: AskRates | None = None) -> RatesBody:
    """Nothing is bought. The carriers are told where the parcel goes."""
    return await commands.ask_rates(ctx, actor, parcel_id, body.weight_grams if body else None)


@router.post(
    "/label",
    status_code=201,
    response_model=LabelBody,
    operation_id="buyParcelLabel",
    summary="Buy the label of a parcel from one of its rates",
    responses=responses(HasLabel, LabelRefused, UnknownCarrier, StillBeingPlaced, *_SENDING, *_KEYED),
)
async def buy_parcel_label(
    ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId, body: BuyLabel
) -> Response:
    """One label however often it is asked for, also when the carrier's answer was lost. The parcel gets its carrier and
    tracking number; it is shipped when it is handed over, or when the carrier scans it."""
    return await commands.buy_label(ctx, actor, key, parcel_id, body)


@router.get(
    "/label",
    operation_id="getParcelLabel",
    summary="The newest label of a parcel",
    responses=responses(NoLabel, ParcelNotFound, NotAuthenticated),
)
async def get_parcel_label(ctx: Ctx, actor: SignedIn, parcel_id: ParcelId) -> LabelBody:
    async with ctx.db.read() as tx:
        return await label_body(tx, actor, parcel_id)


@router.get(
    "/label.pdf",
    response_class=Response,
    operation_id="getParcelLabelPdf",
    summary="The label to print, 4 x 6 inch",
    responses=_FILE | {200: {"content": {"application/pdf": {}}}},
)
async def get_parcel_label_pdf(ctx: Ctx, actor: SellerActor, parcel_id: ParcelId) -> Response:
    return await _drawn(ctx, actor, parcel_id, as_pdf, "application/pdf")


@router.get(
    "/label.png",
    response_class=Response,
    operation_id="getParcelLabelPng",
    summary="The same as a picture of 203 dots per inch",
    responses=_FILE | {200: {"content": {"image/png": {}}}},
)
async def get_parcel_label_png(ctx: Ctx, actor: SellerActor, parcel_id: ParcelId) -> Response:
    return await _drawn(ctx, actor, parcel_id, as_png, "image/png")


async def _drawn(ctx: Context, actor: Actor, parcel_id: UUID, draw: Draw, media_type: str) -> Response:
    async with ctx.db.read() as tx:
        label = await label_on_paper(tx, actor, parcel_id)
    return await drawn(label, draw, media_type)


async def drawn(label: LabelOnPaper, draw: Draw, media_type: str) -> Response:
    """The picture, drawn in a thread. It has an address, so nobody keeps it."""
    content = await asyncio.to_thread(draw, label)
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-store"})


@router.post(
    "/label/cancel",
    response_model=LabelBody,
    operation_id="cancelParcelLabel",
    summary="Give the label of a parcel back that its carrier has not scanned",
    responses=responses(
        *(NoLabel, HasLabel, LabelRefused, CarrierSilent, ParcelNotFound, ImpossibleMove, Forbidden),
        *(NotAuthenticated, UnknownCarrier, *_KEYED),
    ),
)
async def cancel_parcel_label(ctx: Ctx, actor: SignedIn, key: RequiredKey, parcel_id: ParcelId) -> Response:
    return await commands.cancel_label(ctx, actor, key, parcel_id)
