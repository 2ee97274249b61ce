"""HTTP of edits of placed orders."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api.catalog.restrictions.rules import Restricted
from api.checkout.edits import commands
from api.checkout.edits.errors import EditPending
from api.checkout.edits.schemas import CommitEdit, CommittedEdit, EditBody, StageEdit
from api.checkout.errors import (
    AddressUnknown,
    NotOrderable,
    OutOfStock,
    PaymentDeclined,
    PaymentUnavailable,
    SpeedNotOffered,
    TotalChanged,
)
from api.delivery.errors import AddressNotValid
from api.kernel.auth import CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.kernel.readers import header_in_document, reader_in
from api.orders.edits.errors import EditNotFound, EditOver, NotEditable, NothingToChange, OrderChanged
from api.orders.errors import LastUnits, OrderBeingEdited, OrderNotFound, StillBeingPlaced

router = APIRouter(tags=["orders"])
_KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)
_BUSY = (OrderBeingEdited, StillBeingPlaced)


OrderId = Annotated[UUID, Depends(id_in_path("orderId", OrderNotFound))]
EditId = Annotated[UUID, Depends(id_in_path("editId", EditNotFound))]


@router.post(
    "/orders/{orderId}/edits",
    status_code=201,
    response_model=EditBody,
    operation_id="stageOrderEdit",
    summary="Price a change of an order that is not sent yet: quantities, lines, address",
    responses=responses(
        *(
            OrderNotFound,
            NotEditable,
            NotOrderable,
            Restricted,
            OutOfStock,
            SpeedNotOffered,
            LastUnits,
            NothingToChange,
        ),
        *(AddressUnknown, AddressNotValid, Forbidden, ValidationFailed, *_BUSY, *_KEYED),
    ),
    openapi_extra=header_in_document(),
)
async def stage_edit(
    *, ctx: Ctx, request: Request, actor: CurrentActor, key: RequiredKey, order_id: OrderId, body: StageEdit
) -> Response:
    """Nothing is changed, held or charged before the edit is committed."""
    language = reader_in(ctx, request, None).language
    return await commands.stage_edit(ctx, actor, key, order_id, body, language=language)


@router.get(
    "/orders/{orderId}/edits/{editId}",
    operation_id="getOrderEdit",
    summary="A staged or committed edit",
    responses=responses(OrderNotFound, EditNotFound),
)
async def get_edit(ctx: Ctx, actor: CurrentActor, order_id: OrderId, edit_id: EditId) -> EditBody:
    return await commands.show_edit(ctx, actor, (order_id, edit_id))


@router.delete(
    "/orders/{orderId}/edits/{editId}",
    status_code=204,
    operation_id="dropOrderEdit",
    summary="Forget a staged edit",
    responses=responses(OrderNotFound, EditNotFound, EditOver),
)
async def drop_edit(ctx: Ctx, actor: CurrentActor, order_id: OrderId, edit_id: EditId) -> Response:
    await commands.drop_edit(ctx, actor, (order_id, edit_id))
    return Response(status_code=204)


@router.post(
    "/orders/{orderId}/edits/{editId}/commit",
    response_model=CommittedEdit,
    operation_id="commitOrderEdit",
    summary="Change the order as it was staged, and charge or refund the difference",
    responses=responses(
        *(OrderNotFound, EditNotFound, EditOver, OrderChanged, TotalChanged, OutOfStock, PaymentDeclined),
        *(PaymentUnavailable, EditPending, Forbidden, ValidationFailed, *_BUSY, *_KEYED),
    ),
)
async def commit_edit(
    *, ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: OrderId, edit_id: EditId, body: CommitEdit
) -> Response:
    """A repeat with the same key has the same answer and charges nothing again."""
    return await commands.commit_edit(ctx, actor, key, (order_id, edit_id), body)
