"""HTTP of orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.checkout import commands as checkout
from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable, TotalChanged
from api.checkout.schemas import PlacedOrder, PlaceOrder
from api.kernel.auth import CurrentActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.ids import parse_id
from api.kernel.pagination import Page, Pagination, decode_cursor, encode_cursor
from api.kernel.problems import responses
from api.orders import commands, queries
from api.orders.errors import ImpossibleMove, NotReturnable, OrderNotFound, StillBeingPlaced
from api.orders.schemas import AdvanceOrder, CancelOrder, DecideReturn, OrderBody, OrderList, OrderState, OrderStatus, ReturnOrder

router = APIRouter(tags=["orders"])
KEYED = (IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight)


@router.post(
    "/orders",
    status_code=201,
    response_model=PlacedOrder,
    summary="Buy: the lines of the body, or the cart",
    responses=responses(OutOfStock, TotalChanged, PaymentDeclined, PaymentUnavailable, ValidationFailed, *KEYED),
)
async def place_order(ctx: Ctx, actor: CurrentActor, key: RequiredKey, body: PlaceOrder) -> Response:
    return await checkout.place_order(ctx, actor, key, body)


@router.get("/orders/{order_id}", summary="One order with its lines, history and payment", responses=responses(OrderNotFound))
async def get_order(ctx: Ctx, actor: CurrentActor, order_id: str) -> OrderBody:
    found = parse_id(order_id)
    if found is None:
        raise OrderNotFound
    async with ctx.db.read() as tx:
        return await queries.order_of(tx, actor, found)


@router.get(
    "/users/{user_id}/orders",
    summary="A member's orders, newest first",
    responses=responses(NotAuthenticated, OrderNotFound, ValidationFailed),
)
async def list_orders(
    ctx: Ctx, actor: SignedIn, user_id: str, page: Page, status: Annotated[OrderStatus | None, Query()] = None
) -> OrderList:
    owner = parse_id(user_id)
    if owner is None:
        raise OrderNotFound
    listing = f"orders:{owner}:{status}"
    before = None
    if page.cursor is not None:
        at, order_id = decode_cursor(ctx.keys, listing, page.cursor)
        before = (at, order_id)
    async with ctx.db.read() as tx:
        orders, total, more = await queries.orders_of(tx, actor, owner, status=status, page=page, before=before)
    last = encode_cursor(ctx.keys, listing, [orders[-1].created_at.isoformat(), str(orders[-1].order_id)]) if more else None
    return OrderList(orders=orders, pagination=Pagination(page=page.page, limit=page.limit, total=total, has_more=more, next_cursor=last))


@router.post(
    "/orders/{order_id}/cancel",
    response_model=OrderState,
    summary="Cancel before it is shipped: money and units go back",
    responses=responses(OrderNotFound, ImpossibleMove, StillBeingPlaced, Forbidden, ValidationFailed, *KEYED),
)
async def cancel_order(ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: str, body: CancelOrder | None = None) -> Response:
    return await commands.cancel_order(ctx, actor, key, order_id, body or CancelOrder())


@router.post(
    "/orders/{order_id}/return",
    response_model=OrderState,
    summary="Ask to return some or all of a delivered order",
    responses=responses(OrderNotFound, ImpossibleMove, NotReturnable, Forbidden, *KEYED),
)
async def return_order(ctx: Ctx, actor: CurrentActor, key: RequiredKey, order_id: str, body: ReturnOrder) -> Response:
    return await commands.return_order(ctx, actor, key, order_id, body)


@router.post(
    "/orders/{order_id}/advance",
    response_model=OrderState,
    summary="One step of fulfilment, by the seller of every line or an administrator",
    responses=responses(OrderNotFound, ImpossibleMove, StillBeingPlaced, Forbidden, ValidationFailed, NotAuthenticated, *KEYED),
)
async def advance_order(ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: str, body: AdvanceOrder) -> Response:
    return await commands.advance_order(ctx, actor, key, order_id, body)


@router.post(
    "/orders/{order_id}/return/decision",
    response_model=OrderState,
    summary="Approve or refuse what the buyer asked to return",
    responses=responses(OrderNotFound, ImpossibleMove, Forbidden, ValidationFailed, NotAuthenticated, *KEYED),
)
async def decide_return(ctx: Ctx, actor: SignedIn, key: RequiredKey, order_id: str, body: DecideReturn) -> Response:
    return await commands.decide_return(ctx, actor, key, order_id, body)
