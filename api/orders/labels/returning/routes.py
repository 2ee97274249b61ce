"""HTTP of labels with which units are sent back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.kernel.actor import Actor
from api.kernel.context import Context, Ctx
from api.kernel.errors import Forbidden
from api.kernel.problems import responses
from api.mail.tokens import id_of
from api.orders.errors import OrderNotFound, ReturnNotFound
from api.orders.invoices.routes import Reader
from api.orders.labels.drawing import as_pdf, as_png
from api.orders.labels.returning.errors import NoReturnLabel
from api.orders.labels.returning.queries import return_by_link, return_label, return_on_paper
from api.orders.labels.returning.schemas import ReturnLabelBody
from api.orders.labels.routes import Draw, drawn
from api.orders.routes import OrderId, ReturnId

router = APIRouter(tags=["orders"])
_LABEL = "/orders/{orderId}/returns/{returnId}/label"
_FILE = responses(NoReturnLabel, ReturnNotFound, OrderNotFound, Forbidden)


@router.get(
    _LABEL,
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
    _LABEL + ".pdf",
    response_class=Response,
    operation_id="getReturnLabelPdf",
    summary="The label to print, 4 x 6 inch, for the buyer",
    responses=_FILE | {200: {"content": {"application/pdf": {}}}},
)
async def get_return_label_pdf(ctx: Ctx, actor: Reader, order_id: OrderId, return_id: ReturnId) -> Response:
    return await _drawn(ctx, actor, (order_id, return_id), as_pdf, "application/pdf")


@router.get(
    _LABEL + ".png",
    response_class=Response,
    operation_id="getReturnLabelPng",
    summary="The same as a picture of 203 dots per inch",
    responses=_FILE | {200: {"content": {"image/png": {}}}},
)
async def get_return_label_png(ctx: Ctx, actor: Reader, order_id: OrderId, return_id: ReturnId) -> Response:
    return await _drawn(ctx, actor, (order_id, return_id), as_png, "image/png")


@router.get(
    "/return-labels/{code}.pdf",
    response_class=Response,
    operation_id="getReturnLabelByLink",
    summary="The label of a return, by the link that was mailed to its buyer",
    responses=responses(NoReturnLabel) | {200: {"content": {"application/pdf": {}}}},
)
async def get_return_label_by_link(ctx: Ctx, code: Annotated[str, Path(max_length=100)]) -> Response:
    """For whoever has the link, without an account."""
    return_id = id_of(ctx.keys, code)
    label = None
    if return_id is not None:
        async with ctx.db.read() as tx:
            label = await return_by_link(tx, return_id)
    if label is None:
        raise NoReturnLabel("There is no label with this link; look at the order's returns.")
    return await drawn(label, as_pdf, "application/pdf")


async def _drawn(ctx: Context, actor: Actor, place: tuple[UUID, UUID], draw: Draw, media_type: str) -> Response:
    async with ctx.db.read() as tx:
        label = await return_on_paper(tx, actor, place)
    return await drawn(label, draw, media_type)
