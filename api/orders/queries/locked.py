"""An order whose row the transaction has locked, with the data that its changes depend on."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, false, func, select

from api.kernel.actor import Actor
from api.kernel.db import Tx
from api.orders.errors import OrderNotFound
from api.orders.models import Order, OrderItem, Return
from api.orders.queries.access import IS_BUYER, IS_SELLER, MAY_SEE, actor_values
from api.orders.returnable import OrderLine


def _sure(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """`condition`, false where SQL returns null because a side of a comparison is null."""
    return func.coalesce(condition, false())


RETURNED_UNITS = (
    select(func.coalesce(func.sum(Return.quantity), 0))
    .where(Return.order_item_id == OrderItem.order_item_id, Return.status != "rejected")
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """An order whose row the transaction has locked, and the actor's roles in it."""

    order_id: UUID
    status: str
    total: Decimal
    payment_status: str
    is_buyer: bool
    is_seller: bool


_LOCK = (
    select(
        Order.order_id,
        Order.status,
        Order.total,
        Order.payment_status,
        _sure(IS_BUYER).label("is_buyer"),
        _sure(IS_SELLER).label("is_seller"),
    )
    .where(Order.order_id == bindparam("order_id"), MAY_SEE)
    .with_for_update()
)


async def lock_order(tx: Tx, actor: Actor, order_id: UUID) -> LockedOrder:
    """The order's row, locked until the transaction ends. Raises: OrderNotFound."""
    order = await tx.first_as(LockedOrder, _LOCK, {"order_id": order_id, **actor_values(actor)})
    if order is None:
        raise OrderNotFound
    return order


_LINES = (
    select(
        OrderItem.order_item_id,
        OrderItem.product_id,
        OrderItem.variant_id,
        OrderItem.seller_id,
        OrderItem.warehouse_id,
        OrderItem.quantity,
        OrderItem.subtotal,
        RETURNED_UNITS.label("returned"),
    )
    .where(OrderItem.order_id == bindparam("order_id"))
    .order_by(OrderItem.order_item_id)
)


async def lines_of(tx: Tx, order: LockedOrder) -> list[OrderLine]:
    """The lines of an order that was locked for its actor."""
    return await tx.all_as(OrderLine, _LINES, {"order_id": order.order_id})


@dataclass(frozen=True, slots=True)
class RequestedReturn:
    """An undecided return, and the warehouse its units came from."""

    return_id: UUID
    variant_id: UUID
    warehouse_id: UUID | None
    quantity: int
    refund_amount: Decimal


_REQUESTED = (
    select(Return.return_id, OrderItem.variant_id, OrderItem.warehouse_id, Return.quantity, Return.refund_amount)
    .join(OrderItem, OrderItem.order_item_id == Return.order_item_id)
    .where(Return.order_id == bindparam("order_id"), Return.status == "requested")
    .order_by(Return.return_id)
)


async def requested_returns_of(tx: Tx, order: LockedOrder) -> list[RequestedReturn]:
    """The returns to decide, of an order that was locked for its actor."""
    return await tx.all_as(RequestedReturn, _REQUESTED, {"order_id": order.order_id})
