"""HTTP of guest orders."""

from fastapi import APIRouter, Response

from api.kernel.auth import SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import MalformedRequest, NotAuthenticated, TooManyRequests, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.problems import responses
from api.orders.commands import claims
from api.orders.errors import ClaimRefused, OrderNotFound
from api.orders.schemas import (
    ClaimAccepted,
    ClaimedOrders,
    ClaimOrders,
    ClaimRequest,
    LookUpOrder,
    LookUpRequest,
    OrderBody,
)

router = APIRouter(tags=["orders"])
_KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)


@router.post(
    "/orders/lookup",
    operation_id="lookUpOrder",
    summary="A guest's order by its number, e-mail address and mailed code",
    responses=responses(OrderNotFound, MalformedRequest, ValidationFailed),
)
async def look_up_order(ctx: Ctx, body: LookUpOrder) -> OrderBody:
    """A guest's order as the guest sees it, until an account has it."""
    return await claims.look_up(ctx, body)


@router.post(
    "/orders/lookup-requests",
    status_code=202,
    operation_id="requestOrderLookUp",
    summary="Have a guest's order mailed again, with a new code",
    responses=responses(MalformedRequest, ValidationFailed),
)
async def request_order_look_up(ctx: Ctx, body: LookUpRequest) -> ClaimAccepted:
    """Mail the order with a code that opens it to the address that it was placed with. Whether there is such an order
    is not told, and an address that was mailed too often gets no mail."""
    await claims.ask_for_look_up(ctx, body)
    return ClaimAccepted()


@router.post(
    "/orders/claim-requests",
    status_code=202,
    operation_id="requestOrderClaim",
    summary="Have a code mailed that adds guest orders to the caller's account",
    responses=responses(NotAuthenticated, TooManyRequests, MalformedRequest, ValidationFailed),
)
async def request_order_claim(ctx: Ctx, actor: SignedIn, body: ClaimRequest) -> ClaimAccepted:
    """Mail a code to an address that guest orders were placed with. Without such orders no mail is sent, and the answer
    is the same."""
    await claims.ask_for_claim(ctx, actor, body.email)
    return ClaimAccepted()


@router.post(
    "/orders/claim",
    response_model=ClaimedOrders,
    operation_id="claimOrders",
    summary="Add guest orders to the caller's account, by a mailed code",
    responses=responses(NotAuthenticated, ClaimRefused, MalformedRequest, ValidationFailed, *_KEYED),
)
async def claim_orders(ctx: Ctx, actor: SignedIn, key: RequiredKey, body: ClaimOrders) -> Response:
    """Add guest orders to the account: the one whose confirmation has the code, or all of the address that it was
    mailed to. A code works once."""
    return await claims.claim_orders(ctx, actor, key, body.token)
