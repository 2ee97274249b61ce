"""HTTP of refunds without a return."""

from fastapi import APIRouter, Response

from api.kernel.auth import SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.problems import responses
from api.orders.adjustments import commands
from api.orders.adjustments.schemas import RefundOrder
from api.orders.errors import ImpossibleMove, NotReturnable, OrderNotFound, RefundTooHigh, StillBeingPlaced
from api.orders.routes import OrderId
from api.orders.schemas import OrderState

router = APIRouter(tags=["orders"])


@router.post(
    "/orders/{orderId}/refunds",
    response_model=OrderState,
    operation_id="refundOrder",
    summary="Give money back without a return: goodwill, a lower price, a lost parcel",
    responses=responses(
        *(OrderNotFound, NotReturnable, RefundTooHigh, ImpossibleMove, StillBeingPlaced, Forbidden, NotAuthenticated),
        *(ValidationFailed, IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight),
    ),
)
async def refund_order(ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: OrderId, body: RefundOrder) -> Response:
    """By the seller for their own lines, or by an administrator, who says why. Nothing comes back and the order's state
    stays; the money goes to where it came from. May be done again while something is left."""
    return await commands.refund_order(ctx, actor, key, order_id, body)
