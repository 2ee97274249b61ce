"""A member's orders, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    Uuid,
    bindparam,
    exists,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute

from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.filters import day_bounds, literal
from api.kernel.nested import json_rows
from api.kernel.pagination import PageParams
from api.orders.errors import OrderNotFound
from api.orders.models import Order, OrderItem
from api.orders.queries.lines import IMAGE, TITLE
from api.orders.schemas import OrderSummary


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a list: the last order of the previous page."""

    created_at: datetime
    order_id: UUID

    def fields(self) -> list[str]:
        """As a cursor holds it."""
        return [self.created_at.isoformat(), str(self.order_id)]

    def binds(self) -> dict[str, object]:
        """Those of `behind`."""
        return {"after_at": self.created_at, "after_id": self.order_id}

    @classmethod
    def of(cls, fields: Sequence[str]) -> "Position":
        """From what a cursor holds."""
        created_at, order_id = fields
        return cls(datetime.fromisoformat(created_at), UUID(order_id))


def start_of(page: PageParams, after: Position | None) -> dict[str, object]:
    """The binds that say where a page begins: behind a position, or after so many rows."""
    return {"offset": page.offset} if after is None else after.binds()


def behind(
    created_at: ColumnElement[datetime] | InstrumentedAttribute[datetime],
    order_id: ColumnElement[UUID] | InstrumentedAttribute[UUID],
) -> ColumnElement[bool]:
    """Whether a row comes after the position, in a list whose newest row is the first."""
    after = tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Uuid))
    return tuple_(created_at, order_id) < after


# The orders that a page with a filter looks at.
LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class OrderPage:
    """`total` is None after a cursor; `next` is None on the last page."""

    orders: list[OrderSummary]
    total: int | None
    next: Position | None


_ITEM = (
    OrderItem.order_item_id,
    OrderItem.product_id,
    OrderItem.variant_id,
    OrderItem.seller_id,
    TITLE,
    IMAGE,
    OrderItem.quantity,
    OrderItem.price_at_purchase.label("price"),
    OrderItem.subtotal,
    OrderItem.status,
)
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
    select(json_rows(_ITEM, OrderItem.order_item_id))
    .where(OrderItem.order_id == Order.order_id)
    .scalar_subquery()
    .label("items"),
    Order.estimated_delivery,
    Order.created_at,
)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """`since`, `until`: days on which the order was placed, UTC, both included. `text`: words that are all in the title
    of one of its lines, or how its number begins."""

    status: str | None = None
    since: date | None = None
    until: date | None = None
    text: str | None = None

    def values(self) -> dict[str, object]:
        """The binds of those that are given."""
        given: dict[str, object | None] = {
            "status": self.status,
            **day_bounds(self.since, self.until),
        }
        if self.text is not None:
            given["words"] = [f"%{literal(word)}%" for word in self.text.split()]
            given["number"] = f"{literal(self.text)}%"
        return {name: value for name, value in given.items() if value is not None}

    @property
    def is_sparse(self) -> bool:
        """Whether few of a member's orders may fit, so that a page could look at all of them."""
        return self.status is not None or self.text is not None


async def orders_of(
    tx: ReadTx, actor: Actor, user_id: UUID, *, wanted: OrderFilter, page: PageParams, after: Position | None
) -> OrderPage:
    """A page of a member's orders, newest first. Without a text it counts them all.

    Raises: OrderNotFound when the actor is neither that member nor an administrator.
    """
    if user_id != actor.user_id and actor.kind != "admin":
        raise OrderNotFound
    values: dict[str, object] = {"user_id": user_id, **wanted.values()}
    names = tuple(sorted(values.keys() - {"user_id"}))
    total: int | None = None
    if after is None and wanted.text is None:
        total = await tx.scalar(_count(names), values)
    looked = {**values, **start_of(page, after), "looked_at": LOOKED_AT}
    statement = _list(names, wanted.is_sparse, after is not None)
    rows = await tx.all_as(OrderSummary, statement, {**looked, "limit": page.limit + 1})
    found = page_of(rows, page.limit, total)
    if found.next is None and wanted.is_sparse:
        # There may be others behind those that were looked at.
        last = await tx.first(_last_looked_at(names, after is not None), {**looked, "last": LOOKED_AT - 1})
        return replace(found, next=None if last is None else Position(last[0], last[1]))
    return found


def page_of(rows: Sequence[OrderSummary], limit: int, total: int | None) -> OrderPage:
    """The page from up to `limit` + 1 rows: the extra row shows that there is another page."""
    orders = list(rows[:limit])
    more = len(rows) > limit
    return OrderPage(orders, total, Position(orders[-1].created_at, orders[-1].order_id) if more else None)


_FILTERS: dict[str, ColumnElement[bool]] = {
    "status": Order.status == bindparam("status", type_=String),
    "since": Order.created_at >= bindparam("since", type_=DateTime(timezone=True)),
    "until": Order.created_at < bindparam("until", type_=DateTime(timezone=True)),
}
_TITLED = exists().where(
    OrderItem.order_id == Order.order_id,
    OrderItem.title.op("ILIKE")(func.all(bindparam("words", type_=ARRAY(String)))),
)
_TEXT = or_(_TITLED, Order.order_number.like(bindparam("number", type_=String)))


# Built once per shape, because building and hashing a statement takes longer than Postgres takes to run it.
@cache
def _list(names: tuple[str, ...], is_sparse: bool, behind_cursor: bool) -> Select[Any]:  # Any: columns of several types
    """The page. What few orders fit is looked for among the next `looked_at` only, so that the page costs what it
    looks at and not what the member has ever bought."""
    orders = select(*_SUMMARY)
    if is_sparse:
        looked = _looked_at(names, behind_cursor).limit(bindparam("looked_at", type_=Integer)).subquery("looked")
        orders = orders.join(looked, looked.c.order_id == Order.order_id).where(*_sparse(names))
    else:
        orders = _behind(orders.where(*_dense(names)), behind_cursor)
    orders = orders.order_by(Order.created_at.desc(), Order.order_id.desc()).limit(bindparam("limit", type_=Integer))
    return orders if behind_cursor else orders.offset(bindparam("offset", type_=Integer))


@cache
def _last_looked_at(names: tuple[str, ...], behind_cursor: bool) -> Select[Any]:  # Any: as above
    """The last order that a page of `_list` looked at, if there were so many."""
    return _looked_at(names, behind_cursor).offset(bindparam("last", type_=Integer)).limit(1)


def _looked_at(names: tuple[str, ...], behind_cursor: bool) -> Select[Any]:  # Any: as above
    mine = select(Order.created_at, Order.order_id).where(*_dense(names))
    return _behind(mine, behind_cursor).order_by(Order.created_at.desc(), Order.order_id.desc())


def _behind(statement: Select[Any], behind_cursor: bool) -> Select[Any]:  # Any: as above
    return statement.where(behind(Order.created_at, Order.order_id)) if behind_cursor else statement


def _dense(names: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """The conditions that the index of a member's orders answers."""
    return [Order.user_id == bindparam("user_id", type_=Uuid)] + [
        _FILTERS[name] for name in ("since", "until") if name in names
    ]


def _sparse(names: tuple[str, ...]) -> list[ColumnElement[bool]]:
    conditions = [_FILTERS["status"]] if "status" in names else []
    return [*conditions, _TEXT] if "words" in names else conditions


@cache
def _count(names: tuple[str, ...]) -> Select[tuple[int]]:
    return select(func.count()).select_from(Order).where(*_dense(names), *_sparse(names))
