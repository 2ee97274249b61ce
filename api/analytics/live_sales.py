"""A seller's sales read live from Postgres: the days after the marts' watermark, and the latest orders and returns.

The booking rule is defined in the description of `mart_seller__sales_day`. The expressions below are its only form for
Postgres; a test compares the two on one history to the cent.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, Integer, String, Uuid, and_, bindparam, case, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from api.analytics.marts import SalesDay
from api.catalog.models import Product
from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.orders.models import Order, OrderItem, Return, ReturnEvent

# The newest lines are enough to find the newest orders, also for a seller with many orders.
NEWEST_LINES = 200


@dataclass(frozen=True, slots=True)
class LiveDay:
    """One UTC day of a seller in one currency; amounts as in `SalesDay`."""

    day: date
    currency: str
    orders: int
    units: int
    gross_sales: Decimal
    returned_units: int
    returned_amount: Decimal
    net_sales: Decimal

    def sales_day(self) -> SalesDay:
        """The same day in the form that the marts' reader returns."""
        return SalesDay(
            self.day,
            self.orders,
            self.units,
            self.gross_sales,
            self.returned_units,
            self.returned_amount,
            self.net_sales,
        )


@dataclass(frozen=True, slots=True)
class LiveProduct:
    product_id: UUID
    title: str
    units: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class LatestOrder:
    """An order as its seller sees it: `units` and `amount` are those of the seller's lines."""

    order_number: str
    status: str
    currency: str
    country: str
    placed_at: datetime
    units: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class LatestReturn:
    created_at: datetime
    quantity: int
    refund_amount: Decimal
    status: str
    reason: str
    order_number: str
    currency: str
    title: str


def _utc_day(instant: InstrumentedAttribute[datetime] | ColumnElement[datetime]) -> ColumnElement[date]:
    return cast(func.timezone("UTC", instant), Date)


_ACTOR_IS_SELLER = bindparam("seller", type_=Uuid)
_SINCE = bindparam("since", type_=DateTime(timezone=True))
_UNTIL = bindparam("until", type_=DateTime(timezone=True))
_LIMIT = bindparam("limit", type_=Integer)
_CURRENCY = bindparam("currency", type_=String)
# A line belongs to the day of its order, whenever it was written; one that an edit added later, to the day of the edit.
_SOLD_AT = case((OrderItem.edit_id.is_(None), Order.created_at), else_=OrderItem.created_at)
# The line's own time is also filtered because it is in the index; no line is older than its order.
_PLACED = and_(OrderItem.seller_id == _ACTOR_IS_SELLER, OrderItem.created_at >= _SINCE, _SOLD_AT >= _SINCE)
# The event books the refund: what is changed on the return afterwards moves nothing. An order that was cancelled later
# has no sales at all, so nothing of it is returned.
_REFUNDED = and_(
    ReturnEvent.seller_id == _ACTOR_IS_SELLER, ReturnEvent.to_status == "refunded", ReturnEvent.created_at >= _SINCE
)
_CANCELLED = Order.status == "cancelled"
# What the buyer paid for the goods of a line, without tax.
_GOODS = (
    OrderItem.subtotal
    - OrderItem.discount
    - case((OrderItem.tax_included, func.coalesce(OrderItem.tax_amount, 0)), else_=0)
)
_PLACED_DAYS = (
    select(
        _utc_day(_SOLD_AT).label("day"),
        Order.currency,
        func.count(OrderItem.order_id.distinct()).filter(~_CANCELLED).label("orders"),
        func.sum(OrderItem.quantity).filter(~_CANCELLED).label("units"),
        func.sum(_GOODS).filter(~_CANCELLED).label("gross"),
    )
    .select_from(OrderItem)
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(_PLACED)
    .group_by("day", Order.currency)
    .subquery("placed")
)
_REFUND_DAYS = (
    select(
        _utc_day(ReturnEvent.created_at).label("day"),
        ReturnEvent.currency,
        func.sum(ReturnEvent.quantity).label("units"),
        func.sum(func.coalesce(ReturnEvent.goods_amount, ReturnEvent.refund_amount)).label("amount"),
    )
    .join(Order, Order.order_id == ReturnEvent.order_id)
    .where(_REFUNDED, ~_CANCELLED)
    .group_by("day", ReturnEvent.currency)
    .subquery("returned")
)


def _or_zero(column: ColumnElement[Any]) -> ColumnElement[Any]:  # Any: numbers of units and of money
    return func.coalesce(column, 0)


_p, _r = _PLACED_DAYS.c, _REFUND_DAYS.c
_SALES_BY_DAY = (
    select(
        func.coalesce(_p.day, _r.day).label("day"),
        func.coalesce(_p.currency, _r.currency).label("currency"),
        _or_zero(_p.orders).label("orders"),
        _or_zero(_p.units).label("units"),
        _or_zero(_p.gross).label("gross_sales"),
        _or_zero(_r.units).label("returned_units"),
        _or_zero(_r.amount).label("returned_amount"),
        (_or_zero(_p.gross) - _or_zero(_r.amount)).label("net_sales"),
    )
    .select_from(_PLACED_DAYS)
    .outerjoin(_REFUND_DAYS, and_(_p.day == _r.day, _p.currency == _r.currency), full=True)
    .order_by("day")
)
_PRODUCT_SALES = (
    select(
        OrderItem.product_id,
        Product.title,
        func.sum(OrderItem.quantity).label("units"),
        func.sum(_GOODS).label("revenue"),
    )
    .join(Order, Order.order_id == OrderItem.order_id)
    .join(Product, Product.product_id == OrderItem.product_id)
    .where(_PLACED, _SOLD_AT < _UNTIL, Order.currency == _CURRENCY, ~_CANCELLED)
    .group_by(OrderItem.product_id, Product.title)
)
_NEWEST = (
    select(OrderItem.order_id, OrderItem.quantity, OrderItem.subtotal, OrderItem.created_at)
    .where(OrderItem.seller_id == _ACTOR_IS_SELLER)
    .order_by(OrderItem.created_at.desc())
    .limit(NEWEST_LINES)
    .subquery("newest")
)
_LATEST_ORDERS = (
    select(
        Order.order_number,
        Order.status,
        Order.currency,
        Order.country,
        func.min(_NEWEST.c.created_at).label("placed_at"),
        func.sum(_NEWEST.c.quantity).label("units"),
        func.sum(_NEWEST.c.subtotal).label("amount"),
    )
    .join(_NEWEST, _NEWEST.c.order_id == Order.order_id)
    .group_by(Order.order_id)
    .order_by(func.min(_NEWEST.c.created_at).desc())
    .limit(_LIMIT)
)
_LATEST_RETURNS = (
    select(
        Return.created_at,
        Return.quantity,
        Return.refund_amount,
        Return.status,
        Return.reason,
        Order.order_number,
        Order.currency,
        Product.title,
    )
    .join(Order, Order.order_id == Return.order_id)
    .join(Product, Product.product_id == Return.product_id)
    .where(Return.seller_id == _ACTOR_IS_SELLER, Return.quantity > 0)
    .order_by(Return.created_at.desc())
    .limit(_LIMIT)
)


async def sales_by_day(tx: ReadTx, actor: Actor, since: datetime) -> list[LiveDay]:
    """Days with orders or refunds from `since` on, oldest first, one row per day and currency."""
    return await tx.all_as(LiveDay, _SALES_BY_DAY, {"seller": actor.user_id, "since": since})


async def product_sales(tx: ReadTx, actor: Actor, currency: str, since: datetime, until: datetime) -> list[LiveProduct]:
    """Units and revenue of each of the seller's products in orders of `currency` in [since, until), without cancelled
    ones."""
    values = {"seller": actor.user_id, "currency": currency, "since": since, "until": until}
    return await tx.all_as(LiveProduct, _PRODUCT_SALES, values)


async def latest_orders(tx: ReadTx, actor: Actor, limit: int) -> list[LatestOrder]:
    """The newest orders that hold a line of the seller, newest first."""
    return await tx.all_as(LatestOrder, _LATEST_ORDERS, {"seller": actor.user_id, "limit": limit})


async def latest_returns(tx: ReadTx, actor: Actor, limit: int) -> list[LatestReturn]:
    """The newest returns of the seller's products, newest first."""
    return await tx.all_as(LatestReturn, _LATEST_RETURNS, {"seller": actor.user_id, "limit": limit})
