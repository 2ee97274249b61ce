"""HTTP of orders."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response
from pydantic import AfterValidator

from api.kernel.auth import CurrentActor, SignedIn
from api.kernel.card_numbers import refuse_card_number
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.paths import id_in_path
from api.kernel.problems import responses
from api.orders.commands import access, cancel, cancel_units, decide, fulfil, returns
from api.orders.errors import (
    FeeTooHigh,
    ImpossibleMove,
    LastUnits,
    LineNotFound,
    NotCancellable,
    NotReturnable,
    OrderNotFound,
    ReturnDecided,
    ReturnNotFound,
    ReturnWindowClosed,
    StillBeingPlaced,
)
from api.orders.schemas import (
    AdvanceOrder,
    ApproveReturn,
    CancelOrder,
    CancelUnits,
    DecideReturn,
    OrderBody,
    OrderState,
    RejectReturn,
    ReturnOrder,
)

router = APIRouter(tags=["orders"])
_KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)


OrderId = Annotated[UUID, Depends(id_in_path("orderId", OrderNotFound))]
AccessReason = Annotated[
    Annotated[str, AfterValidator(refuse_card_number)] | None,
    Header(
        alias="X-Access-Reason",
        min_length=10,
        max_length=500,
        description="Why an administrator needs the buyer's address and e-mail; kept in the audit table",
    ),
]


@router.get(
    "/orders/{orderId}",
    operation_id="getOrder",
    summary="One order with its lines, history and payment",
    responses=responses(OrderNotFound, ValidationFailed),
)
async def get_order(ctx: Ctx, actor: CurrentActor, order_id: OrderId, reason: AccessReason = None) -> OrderBody:
    """One order. The buyer's address and e-mail are null for those who may not see them (docs/privacy.md)."""
    return await access.show_order(ctx, actor, order_id, reason)


@router.post(
    "/orders/{orderId}/cancel",
    response_model=OrderState,
    operation_id="cancelOrder",
    summary="Cancel before it is shipped: money and units go back",
    responses=responses(OrderNotFound, ImpossibleMove, StillBeingPlaced, Forbidden, ValidationFailed, *_KEYED),
)
async def cancel_order(
    ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: OrderId, body: CancelOrder | None = None
) -> Response:
    return await cancel.cancel_order(ctx, actor, key, order_id, body or CancelOrder())


@router.post(
    "/orders/{orderId}/return",
    response_model=OrderState,
    operation_id="returnOrder",
    summary="Ask to return some or all of a delivered order",
    responses=responses(OrderNotFound, ImpossibleMove, NotReturnable, ReturnWindowClosed, Forbidden, *_KEYED),
)
async def return_order(
    ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: OrderId, body: ReturnOrder
) -> Response:
    return await returns.return_order(ctx, actor, key, order_id, body)


@router.post(
    "/orders/{orderId}/advance",
    response_model=OrderState,
    operation_id="advanceOrder",
    summary="One step of fulfilment, by the seller of every line or an administrator",
    responses=responses(
        OrderNotFound, ImpossibleMove, StillBeingPlaced, Forbidden, ValidationFailed, NotAuthenticated, *_KEYED
    ),
)
async def advance_order(ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: OrderId, body: AdvanceOrder) -> Response:
    return await fulfil.advance_order(ctx, actor, key, order_id, body)


@router.post(
    "/orders/{orderId}/return/decision",
    response_model=OrderState,
    operation_id="decideReturn",
    summary="Approve or refuse what the buyer asked first to return",
    responses=responses(OrderNotFound, ImpossibleMove, Forbidden, ValidationFailed, NotAuthenticated, *_KEYED),
)
async def decide_return(ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: OrderId, body: DecideReturn) -> Response:
    return await decide.decide_return(ctx, actor, key, order_id, body)


ReturnId = Annotated[UUID, Depends(id_in_path("returnId", ReturnNotFound))]
_DECIDING = (OrderNotFound, ReturnNotFound, ReturnDecided, Forbidden, ValidationFailed, NotAuthenticated, *_KEYED)


@router.post(
    "/orders/{orderId}/returns/{returnId}/approve",
    response_model=OrderState,
    operation_id="approveReturn",
    summary="Approve one return: its money goes back, its units are restocked or written off",
    responses=responses(FeeTooHigh, *_DECIDING),
)
async def approve_return(
    *,
    ctx: Ctx,
    actor: SignedIn,
    key: RequiredKey,
    order_id: OrderId,
    return_id: ReturnId,
    body: ApproveReturn | None = None,
) -> Response:
    return await decide.approve_return(ctx, actor, key, (order_id, return_id), body or ApproveReturn())


@router.post(
    "/orders/{orderId}/returns/{returnId}/reject",
    response_model=OrderState,
    operation_id="rejectReturn",
    summary="Refuse one return",
    responses=responses(*_DECIDING),
)
async def reject_return(
    *, ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: OrderId, return_id: ReturnId, body: RejectReturn
) -> Response:
    return await decide.reject_return(ctx, actor, key, (order_id, return_id), body)


OrderItemId = Annotated[UUID, Depends(id_in_path("orderItemId", LineNotFound))]


@router.post(
    "/orders/{orderId}/items/{orderItemId}/cancel",
    response_model=OrderState,
    operation_id="cancelOrderItem",
    summary="Cancel some units of a line before the order is shipped",
    responses=responses(
        *(OrderNotFound, LineNotFound, ImpossibleMove, StillBeingPlaced, LastUnits, NotCancellable, Forbidden),
        *(ValidationFailed, *_KEYED),
    ),
)
async def cancel_order_item(
    *, ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: OrderId, item_id: OrderItemId, body: CancelUnits
) -> Response:
    return await cancel_units.cancel_units(ctx, actor, key, (order_id, item_id), body)
