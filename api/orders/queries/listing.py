"""A member's orders, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Select, String, Uuid, bindparam, func, select, tuple_

from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams
from api.orders.errors import OrderNotFound
from api.orders.models import Order, OrderItem
from api.orders.schemas import OrderSummary


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a list: the last order of the previous page."""

    created_at: datetime
    order_id: UUID

    def fields(self) -> list[str]:
        """As a cursor holds it."""
        return [self.created_at.isoformat(), str(self.order_id)]

    @classmethod
    def of(cls, fields: Sequence[str]) -> "Position":
        """From what a cursor holds."""
        created_at, order_id = fields
        return cls(datetime.fromisoformat(created_at), UUID(order_id))


@dataclass(frozen=True, slots=True)
class OrderPage:
    """`total` is None after a cursor; `next` is None on the last page."""

    orders: list[OrderSummary]
    total: int | None
    next: Position | None


_SUMMARY = (
    Order.order_id,
    Order.order_number,
    Order.status,
    Order.currency,
    Order.total,
    select(func.coalesce(func.sum(OrderItem.quantity), 0))
    .where(OrderItem.order_id == Order.order_id)
    .scalar_subquery()
    .label("item_count"),
    Order.estimated_delivery,
    Order.created_at,
)


async def orders_of(
    tx: ReadTx, actor: Actor, user_id: UUID, *, status: str | None, page: PageParams, after: Position | None
) -> OrderPage:
    """A page of a member's orders, newest first.

    Raises: OrderNotFound when the actor is neither that member nor an administrator.
    """
    if user_id != actor.user_id and actor.kind != "admin":
        raise OrderNotFound
    whose = {"user_id": user_id, "status": status}
    if after is None:
        start: dict[str, object] = {"offset": page.offset}
        total: int | None = await tx.scalar(_count(status is not None), whose)
    else:
        start = {"after_at": after.created_at, "after_id": after.order_id}
        total = None
    statement = _list(status is not None, after is not None)
    rows = await tx.all_as(OrderSummary, statement, {**whose, **start, "limit": page.limit + 1})
    return page_of(rows, page.limit, total)


def page_of(rows: Sequence[OrderSummary], limit: int, total: int | None) -> OrderPage:
    """The page from up to `limit` + 1 rows: the extra row shows that there is another page."""
    orders = list(rows[:limit])
    more = len(rows) > limit
    return OrderPage(orders, total, Position(orders[-1].created_at, orders[-1].order_id) if more else None)


# Built once per shape, because building and hashing a statement takes longer than Postgres takes to run it.
@cache
def _list(by_status: bool, behind_cursor: bool) -> Select[Any]:  # Any: columns of several types
    orders = _whose(select(*_SUMMARY), by_status).order_by(Order.created_at.desc(), Order.order_id.desc())
    orders = orders.limit(bindparam("limit", type_=Integer))
    if not behind_cursor:
        return orders.offset(bindparam("offset", type_=Integer))
    after = tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
    return orders.where(tuple_(Order.created_at, Order.order_id) < after)


@cache
def _count(by_status: bool) -> Select[tuple[int]]:
    return _whose(select(func.count()).select_from(Order), by_status)


def _whose(statement: Select[Any], by_status: bool) -> Select[Any]:  # Any: columns of several types
    mine = statement.where(Order.user_id == bindparam("user_id", type_=Uuid))
    return mine.where(Order.status == bindparam("status", type_=String)) if by_status else mine
