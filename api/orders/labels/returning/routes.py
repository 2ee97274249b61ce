"""HTTP of labels with which units are sent back."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.kernel.actor import Actor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden
from api.kernel.problems import responses
from api.orders.errors import OrderNotFound, ReturnNotFound
from api.orders.invoices.routes import Reader
from api.orders.labels.drawing import as_pdf, as_png
from api.orders.labels.returning.errors import NoReturnLabel
from api.orders.labels.returning.queries import return_label, return_on_paper
from api.orders.labels.returning.schemas import ReturnLabelBody
from api.orders.labels.routes import Draw, drawn
from api.orders.routes import OrderId, ReturnId

router = APIRouter(prefix="/orders/{orderId}/returns/{returnId}", tags=["orders"])
_FILE = responses(NoReturnLabel, ReturnNotFound, OrderNotFound, Forbidden)


@router.get(
    "/label",
    operation_id="getReturnLabel",
    summary="The label of an approved return, and where its parcel is",
    responses=responses(NoReturnLabel, ReturnNotFound, OrderNotFound),
)
async def get_return_label(ctx: Ctx, actor: Reader, order_id: OrderId, return_id: ReturnId) -> ReturnLabelBody:
    """Made when the return is approved, where the refund policy says that its seller pays for sending it. For its buyer
    (a guest's mailed code opens it from any device), and without what says where the buyer is for its seller."""
    async with ctx.db.read() as tx:
        return await return_label(tx, actor, (order_id, return_id))


@router.get(
    "/label.pdf",
    response_class=Response,
    operation_id="getReturnLabelPdf",
    summary="The label to print, 4 x 6 inch, for the buyer",
    responses=_FILE | {200: {"content": {"application/pdf": {}}}},
)
async def get_return_label_pdf(ctx: Ctx, actor: Reader, order_id: OrderId, return_id: ReturnId) -> Response:
    return await _drawn(ctx, actor, (order_id, return_id), as_pdf, "application/pdf")


@router.get(
    "/label.png",
    response_class=Response,
    operation_id="getReturnLabelPng",
    summary="The same as a picture of 203 dots per inch",
    responses=_FILE | {200: {"content": {"image/png": {}}}},
)
async def get_return_label_png(ctx: Ctx, actor: Reader, order_id: OrderId, return_id: ReturnId) -> Response:
    return await _drawn(ctx, actor, (order_id, return_id), as_png, "image/png")


async def _drawn(ctx: Context, actor: Actor, place: tuple[UUID, UUID], draw: Draw, media_type: str) -> Response:
    async with ctx.db.read() as tx:
        label = await return_on_paper(tx, actor, place)
    return await drawn(label, draw, media_type)
