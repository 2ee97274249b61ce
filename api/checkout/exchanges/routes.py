"""HTTP of exchanges."""

from fastapi import APIRouter, Response

from api.catalog.restrictions.rules import Restricted
from api.checkout.errors import (
    AddressUnknown,
    NotOrderable,
    OrderPending,
    OutOfStock,
    PaymentDeclined,
    PaymentUnavailable,
    TotalChanged,
)
from api.checkout.exchanges import commands
from api.checkout.exchanges.schemas import Exchange, ExchangeUnits
from api.delivery.errors import AddressNotValid
from api.kernel.auth import CurrentActor
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.problems import responses
from api.orders.errors import ImpossibleMove, NotReturnable, OrderNotFound, ReturnWindowClosed
from api.orders.routes import OrderId

router = APIRouter(tags=["orders"])


@router.post(
    "/orders/{orderId}/exchanges",
    response_model=Exchange,
    operation_id="exchangeOrderItem",
    summary="Exchange units of a delivered order for another variant",
    responses=responses(
        *(OrderNotFound, ImpossibleMove, NotReturnable, ReturnWindowClosed, Forbidden),
        *(OutOfStock, TotalChanged, PaymentDeclined, PaymentUnavailable, OrderPending, NotOrderable, Restricted),
        *(AddressNotValid, AddressUnknown, ValidationFailed),
        *(IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight),
    ),
)
async def exchange_order_item(
    ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: OrderId, body: ExchangeUnits
) -> Response:
    """The new units are ordered and paid at once, and the return of the old ones is asked for: its refund comes when
    the seller approves it. When the order is refused, nothing is asked for and nothing is charged."""
    return await commands.exchange_units(ctx, actor, key, order_id, body)
