"""HTTP of a buyer's orders."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from api.kernel.actor import Actor
from api.kernel.auth import CurrentActor, SignedIn
from api.kernel.context import Context, Ctx
from api.kernel.errors import NotAuthenticated, ValidationFailed
from api.kernel.ids import parse_id
from api.kernel.pagination import Page, PageParams, pagination, place_of
from api.kernel.problems import responses
from api.orders.errors import OrderNotFound
from api.orders.history.again import buy_again
from api.orders.history.schemas import BoughtAgain
from api.orders.queries.listing import OrderFilter, Position, orders_of
from api.orders.routes import OrderId
from api.orders.schemas import OrderList, OrderStatus

router = APIRouter(tags=["orders"])


async def order_filter(
    status: Annotated[OrderStatus | None, Query()] = None,
    since: Annotated[date | None, Query(alias="from", description="placed on this day (UTC) or later")] = None,
    until: Annotated[date | None, Query(alias="to", description="placed on this day (UTC) or earlier")] = None,
    text: Annotated[
        str | None,
        Query(alias="q", max_length=100, description="words of one thing's title, or how the order's number begins"),
    ] = None,
) -> OrderFilter:
    return OrderFilter(status, since, until, None if text is None else text.strip() or None)


Filter = Annotated[OrderFilter, Depends(order_filter)]


@router.get(
    "/users/me/orders",
    operation_id="listMyOrders",
    summary="The caller's orders, newest first",
    responses=responses(NotAuthenticated, ValidationFailed),
)
async def list_my_orders(ctx: Ctx, actor: SignedIn, page: Page, wanted: Filter) -> OrderList:
    """The caller's orders with what was bought, in the words and pictures of then.

    With a filter a page may hold fewer than `limit` orders, or none, and still be followed by another: each looks at
    2,000 orders at most. `hasMore` says whether there is one.
    """
    if actor.user_id is None:
        raise OrderNotFound
    return await _listed(ctx, actor, actor.user_id, page, wanted)


@router.get(
    "/users/{userId}/orders",
    operation_id="listOrders",
    summary="A member's orders, newest first",
    responses=responses(NotAuthenticated, OrderNotFound, ValidationFailed),
)
async def list_orders(
    ctx: Ctx,
    actor: SignedIn,
    user_id: Annotated[str, Path(alias="userId", max_length=100)],
    page: Page,
    wanted: Filter,
) -> OrderList:
    """The same for the member of this id, who asks, or for an administrator."""
    owner = parse_id(user_id)
    if owner is None:
        raise OrderNotFound
    return await _listed(ctx, actor, owner, page, wanted)


async def _listed(ctx: Context, actor: Actor, owner: UUID, page: PageParams, wanted: OrderFilter) -> OrderList:
    listing = f"orders:{owner}:{wanted.status}:{wanted.since}:{wanted.until}:{wanted.text}"
    after = place_of(page, ctx.keys, listing, Position.of)
    async with ctx.db.read() as tx:
        found = await orders_of(tx, actor, owner, wanted=wanted, page=page, after=after)
    following = None if found.next is None else found.next.fields()
    return OrderList(orders=found.orders, pagination=pagination(page, ctx.keys, listing, found.total, following))


@router.post(
    "/orders/{orderId}/buy-again",
    operation_id="buyAgain",
    summary="Put what can still be bought of an order into the cart",
    responses=responses(OrderNotFound),
)
async def buy_order_again(ctx: Ctx, actor: CurrentActor, order_id: OrderId) -> BoughtAgain:
    """Each line says how many units went into the cart, and why not all. Repeated, it adds nothing that the cart
    holds already."""
    return await buy_again(ctx, actor, order_id)
