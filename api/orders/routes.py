"""HTTP of orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.checkout import commands as checkout
from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable, TotalChanged
from api.checkout.schemas import PlacedOrder, PlaceOrder
from api.kernel.auth import CurrentActor, SignedIn
from api.kernel.context import Ctx
from api.kernel.errors import NotAuthenticated, ValidationFailed
from api.kernel.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused, RequestInFlight, RequiredKey
from api.kernel.ids import parse_id
from api.kernel.pagination import Page, Pagination, decode_cursor, encode_cursor
from api.kernel.problems import responses
from api.orders import queries
from api.orders.errors import OrderNotFound
from api.orders.schemas import OrderBody, OrderList, OrderStatus

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
    if owner is None or (owner != actor.user_id and actor.kind != "admin"):
        raise OrderNotFound
    listing = f"orders:{owner}:{status}"
    before = None
    if page.cursor is not None:
        at, order_id = decode_cursor(ctx.keys, listing, page.cursor)
        before = (at, order_id)
    async with ctx.db.read() as tx:
        orders, total, more = await queries.orders_of(tx, owner, status, page, before)
    last = encode_cursor(ctx.keys, listing, [orders[-1].created_at.isoformat(), str(orders[-1].order_id)]) if more else None
    return OrderList(orders=orders, pagination=Pagination(page=page.page, limit=page.limit, total=total, has_more=more, next_cursor=last))
