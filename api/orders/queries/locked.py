"""An order whose row the transaction has locked, with the data that its changes depend on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Select, Uuid, bindparam, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from api.kernel.actor import Actor
from api.kernel.db import Tx, done, first_as
from api.orders.errors import OrderBeingEdited, OrderNotFound
from api.orders.models import Order, OrderItem, Parcel, Return
from api.orders.queries.access import IS_BUYER, IS_SELLER, MAY_DECIDE, MAY_SEE, actor_values
from api.orders.returns.returnable import OrderAmounts, OrderLine
from api.payments.parts import Parts


def _sure(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """`condition`, false where SQL returns null because a side of a comparison is null."""
    return func.coalesce(condition, false())


# Of a line; it has a row also when nothing was returned. Migration 0014 fills the parts of earlier returns.
def _given(column: InstrumentedAttribute[Decimal | None]) -> ColumnElement[Decimal]:
    return func.coalesce(func.sum(column), 0)


GIVEN = (
    select(
        func.coalesce(func.sum(Return.quantity), 0).label("returned"),
        func.coalesce(func.sum(Return.quantity).filter(Return.outbound_refunded), 0).label("returned_outbound"),
        (_given(Return.goods_amount) + func.coalesce(func.sum(Return.fee_amount), 0)).label("goods_given"),
        (_given(Return.tax_amount) - _given(Return.shipping_tax)).label("tax_given"),
        _given(Return.shipping_amount).label("shipping_given"),
        _given(Return.shipping_tax).label("shipping_tax_given"),
        _sure(func.bool_or(Return.quantity == 0)).label("adjusted"),
    )
    .where(Return.order_item_id == OrderItem.order_item_id, Return.status != "rejected")
    .lateral("given")
)
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
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal
    payment_status: str
    redemptions: int
    delivered_at: datetime | None
    edited_by: UUID | None
    is_buyer: bool
    is_seller: bool

    @property
    def amounts(self) -> OrderAmounts:
        return OrderAmounts(self.total, self.tax, self.tax_included, self.shipping_fee)


def _row(is_seller: ColumnElement[bool]) -> Select[Any]:  # Any: the columns of a LockedOrder
    return select(
        Order.order_id,
        Order.status,
        Order.total,
        Order.tax,
        Order.tax_included,
        Order.shipping_fee,
        Order.payment_status,
        Order.redemptions,
        Order.actual_delivery.label("delivered_at"),
        Order.edited_by,
        _sure(IS_BUYER).label("is_buyer"),
        _sure(is_seller).label("is_seller"),
    ).where(Order.order_id == bindparam("order_id"), or_(MAY_SEE, is_seller))


# An order is locked by one statement and read by the next, in one round trip: what a statement reads of other tables,
# such as whose lines an order has, is from before it waited for the lock.
LOCK = select(Order.order_id).where(Order.order_id == bindparam("order_id"), MAY_SEE).with_for_update()
_LOCK_TO_DECIDE = (
    select(Order.order_id).where(Order.order_id == bindparam("order_id"), or_(MAY_SEE, MAY_DECIDE)).with_for_update()
)
_ROW, _ROW_TO_DECIDE = _row(IS_SELLER), _row(MAY_DECIDE)


async def lock_order(tx: Tx, actor: Actor, order_id: UUID) -> LockedOrder:
    """The order's row, locked until the transaction ends. Raises: OrderNotFound, OrderBeingEdited."""
    values = {"order_id": order_id, **actor_values(actor)}
    return _free((await tx.batch(done(LOCK, values), first_as(LockedOrder, _ROW, values)))[1])


async def lock_to_decide(tx: Tx, actor: Actor, order_id: UUID) -> LockedOrder:
    """The same for a decision about returns, where `is_seller` is a seller of any line. Raises: OrderNotFound,
    OrderBeingEdited."""
    values = {"order_id": order_id, **actor_values(actor)}
    return _free((await tx.batch(done(_LOCK_TO_DECIDE, values), first_as(LockedOrder, _ROW_TO_DECIDE, values)))[1])


def _free(order: LockedOrder | None) -> LockedOrder:
    """The order, if it is left to no edit or exchange."""
    if order is None:
        raise OrderNotFound
    if order.edited_by is not None:
        raise OrderBeingEdited
    return order


DIGITAL = select(Parcel.digital).where(Parcel.parcel_id == OrderItem.parcel_id).correlate(OrderItem).scalar_subquery()
# What `OrderLine` holds; select it with `.join(GIVEN, true())`.
LINE: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...] = (
    OrderItem.order_item_id,
    OrderItem.product_id,
    OrderItem.variant_id,
    OrderItem.seller_id,
    OrderItem.warehouse_id,
    OrderItem.quantity,
    OrderItem.subtotal,
    OrderItem.discount,
    func.coalesce(OrderItem.tax_amount, 0).label("tax_amount"),
    OrderItem.tax_included,
    *GIVEN.c,
    OrderItem.status,
    OrderItem.parcel_id,
    OrderItem.return_days,
    func.coalesce(DIGITAL, false()).label("digital"),
)
_LINES = (
    select(*LINE)
    .join(GIVEN, true())
    .where(OrderItem.order_id == bindparam("order_id"))
    .order_by(OrderItem.order_item_id)
)


class Locked(Protocol):
    """An order whose row the transaction has locked."""

    @property
    def order_id(self) -> UUID: ...


async def lines_of(tx: Tx, order: Locked) -> list[OrderLine]:
    """The lines of an order that was locked for its actor."""
    return await tx.all_as(OrderLine, _LINES, {"order_id": order.order_id})


@dataclass(frozen=True, slots=True)
class SentTo:
    """Where an order went: for an order of the same buyer instead of it."""

    address: dict[str, str]
    email: str | None


_SENT_TO = select(Order.shipping_address.label("address"), Order.guest_email.label("email")).where(
    Order.order_id == bindparam("order_id")
)


async def sent_to(tx: Tx, order: LockedOrder) -> SentTo:
    """Of an order that was locked for its buyer."""
    found = await tx.first_as(SentTo, _SENT_TO, {"order_id": order.order_id})
    if found is None:
        raise AssertionError("a locked order is there")
    return found


@dataclass(frozen=True, slots=True)
class RequestedReturn:
    """An undecided return, its refund's parts, and the warehouse its units came from, if they were sent."""

    return_id: UUID
    seller_id: UUID
    created_at: datetime
    reason_code: str
    variant_id: UUID
    warehouse_id: UUID | None
    digital: bool
    quantity: int
    goods: Decimal
    tax: Decimal
    shipping: Decimal

    @property
    def parts(self) -> Parts:
        return Parts(self.goods, self.tax, self.shipping)


_REQUESTED = (
    select(
        Return.return_id,
        Return.seller_id,
        Return.created_at,
        Return.reason_code,
        OrderItem.variant_id,
        OrderItem.warehouse_id,
        func.coalesce(DIGITAL, false()).label("digital"),
        Return.quantity,
        func.coalesce(Return.goods_amount, Return.refund_amount).label("goods"),
        func.coalesce(Return.tax_amount, 0).label("tax"),
        func.coalesce(Return.shipping_amount, 0).label("shipping"),
    )
    .join(OrderItem, OrderItem.order_item_id == Return.order_item_id)
    .where(Return.order_id == bindparam("order_id"), Return.status == "requested")
    .order_by(Return.created_at, Return.return_id)
)


_STATUS = select(Return.status).where(
    Return.order_id == bindparam("order_id"),
    Return.return_id == bindparam("return_id"),
    or_(Return.seller_id == bindparam("seller_id", type_=Uuid), bindparam("is_admin", type_=Boolean)),
)


async def status_of_return(tx: Tx, actor: Actor, order: LockedOrder, return_id: UUID) -> str | None:
    """The status of a return of the seller's lines, or of any for an administrator; None when there is none."""
    whose = {"seller_id": actor.user_id, "is_admin": actor.kind == "admin"}
    status: str | None = await tx.scalar(_STATUS, {"order_id": order.order_id, "return_id": return_id, **whose})
    return status


_APPROVED = select(exists().where(Return.order_id == bindparam("order_id"), Return.status == "approved"))


async def awaits_refunds(tx: Tx, order: LockedOrder) -> bool:
    """Whether money of an approved return is on its way, of an order that was locked for its actor."""
    return bool(await tx.scalar(_APPROVED, {"order_id": order.order_id}))


async def requested_returns_of(tx: Tx, order: LockedOrder) -> list[RequestedReturn]:
    """The returns to decide, of an order that was locked for its actor."""
    return await tx.all_as(RequestedReturn, _REQUESTED, {"order_id": order.order_id})
