"""Best sellers: units per product over the 90 newest days that have orders; for lists, search and recommendations."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    SQLColumnExpression,
    Subquery,
    Uuid,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from api.catalog.models import Product
from api.kernel.db import ReadTx
from api.orders.models import Order, OrderItem, Return
from api.orders.parcels.changes.reasons import CANCELLED_BY_SELLER
from api.orders.returns.policy import CANCELLED

DAYS = 90
# The column that holds it has four bytes.
_MOST = 2_147_483_647


def _window_start() -> Select[tuple[object]]:
    """The start of the window.

    It counts days with orders, not calendar days: loaded history keeps its real dates, and a first new order years
    later must not move all of it out of the window. Each step is one lookup in ix_orders_created.
    """
    newest = select(func.date_trunc("day", func.max(Order.created_at), "UTC").label("day"), cast(1, Integer).label("n"))
    days = newest.cte("days", recursive=True)
    earlier = aliased(Order, name="earlier")
    before = (
        select(func.date_trunc("day", func.max(earlier.created_at), "UTC"))
        .where(earlier.created_at < days.c.day)
        .scalar_subquery()
    )
    days = days.union_all(select(before, days.c.n + 1).where(days.c.day.is_not(None), days.c.n < DAYS))
    return select(func.min(days.c.day, type_=DateTime(timezone=True)))


# Units that were cancelled before they were sent, by line; an index has these returns alone.
_CANCELLED = (
    select(Return.order_item_id, func.sum(Return.quantity).label("units"))
    .where(Return.reason_code.in_([literal_column(f"'{code}'") for code in (CANCELLED, CANCELLED_BY_SELLER)]))
    .group_by(Return.order_item_id)
    .subquery("cancelled")
)
_KEPT = func.sum(OrderItem.quantity - func.coalesce(_CANCELLED.c.units, 0))
_IN_WINDOW = (Order.created_at >= _window_start().scalar_subquery(), Order.status != "cancelled")


def _lines(*columns: SQLColumnExpression[Any]) -> Select[Any]:  # Any: SQLAlchemy's
    return (
        select(*columns)
        .select_from(OrderItem)
        .join(Order, Order.order_id == OrderItem.order_id)
        .outerjoin(_CANCELLED, _CANCELLED.c.order_item_id == OrderItem.order_item_id)
        .where(*_IN_WINDOW)
    )


def _kits() -> Subquery:
    """Product and whole units of each kit of an order: as many as of the component of which the fewest were kept."""
    kept = _KEPT * cast(OrderItem.kit["quantity"].astext, Integer) / func.sum(OrderItem.quantity)
    by_component = (
        _lines(OrderItem.order_id, OrderItem.kit, func.floor(kept).label("units"))
        .where(OrderItem.kit.is_not(None))
        .group_by(OrderItem.order_id, OrderItem.kit, OrderItem.variant_id)
        .subquery("components")
    )
    product = cast(by_component.c.kit["productId"].astext, Uuid)
    return (
        select(product.label("product_id"), func.min(by_component.c.units).label("units"))
        .group_by(by_component.c.order_id, by_component.c.kit)
        .subquery("kits")
    )


_SOLD = union_all(
    _lines(OrderItem.product_id, _KEPT.label("units")).group_by(OrderItem.product_id), select(*_kits().c)
).subquery("sold_units")
_UNITS = func.sum(_SOLD.c.units)
_units = func.least(_UNITS, _MOST).cast(Integer).label("units")
# Product and units, for every product that sold in the window. A kit counts as what it is and as its components.
UNITS_SOLD: Select[tuple[UUID, int]] = (
    select(_SOLD.c.product_id, _units).group_by(_SOLD.c.product_id).having(_UNITS > 0)
)
_BEST = UNITS_SOLD.order_by(_units.desc(), _SOLD.c.product_id).limit(bindparam("limit", type_=Integer))
_CATEGORY = select(Product.category_id).where(Product.product_id == bindparam("product_id")).scalar_subquery()
_SAME_CATEGORY = (
    select(Product.product_id)
    .where(Product.category_id == _CATEGORY, Product.product_id != bindparam("product_id"))
    .scalar_subquery()
)
_BEST_IN_CATEGORY = _BEST.where(_SOLD.c.product_id.in_(_SAME_CATEGORY))


async def units_sold(tx: ReadTx, limit: int) -> list[tuple[UUID, int]]:
    """The `limit` best sellers with their units, best first."""
    return [(product, units) for product, units in await tx.all(_BEST, {"limit": limit})]


async def units_sold_in_category_of(tx: ReadTx, product_id: UUID, limit: int) -> list[tuple[UUID, int]]:
    """The best sellers of the product's category, without the product itself."""
    rows = await tx.all(_BEST_IN_CATEGORY, {"product_id": product_id, "limit": limit})
    return [(product, units) for product, units in rows]
