"""Reads of parcels: those of an order that is to change, and a seller's part of orders."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx
from api.kernel.filters import day_bounds, literal
from api.kernel.nested import json_rows
from api.kernel.pagination import PageParams
from api.orders.errors import OrderBeingEdited, OrderNotFound, ParcelNotFound
from api.orders.models import Order, OrderItem, Parcel, ParcelEvent, Return
from api.orders.parcels.derived import Standing
from api.orders.parcels.places import SHIPS_FROM
from api.orders.parcels.schemas import SellerOrderBody, SellerOrderSummary
from api.orders.queries.lines import BOUGHT
from api.orders.queries.listing import Position, behind, start_of
from api.orders.queries.locked import RETURNED_UNITS
from api.orders.queries.privacy import PARCEL_ADDRESS, while_seen
from api.orders.returns.returnable import OrderAmounts
from api.orders.returns.returned import ADJUSTMENT, IS_ADJUSTMENT, RETURN

_SELLER = bindparam("seller_id", type_=Uuid)


@dataclass(frozen=True, slots=True)
class LockedParcel:
    """A parcel whose order's row the transaction has locked."""

    parcel_id: UUID
    number: int
    seller_id: UUID
    status: str
    begun: bool
    carrier: str | None
    tracking_number: str | None
    lost: bool
    digital: bool

    @property
    def standing(self) -> Standing:
        return Standing(self.status, self.begun, self.lost)


@dataclass(frozen=True, slots=True)
class LockedOrderOf:
    """The order of a parcel, its row locked until the transaction ends."""

    order_id: UUID
    status: str
    payment_status: str
    shipping_preference: str
    edited_by: UUID | None
    total: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal
    redemptions: int

    @property
    def amounts(self) -> OrderAmounts:
        return OrderAmounts(self.total, self.tax, self.tax_included, self.shipping_fee)


# A parcel, by its id, that the actor may send: its seller, an administrator, or the shop itself.
MAY_SEND = and_(
    Parcel.parcel_id == bindparam("parcel_id", type_=Uuid),
    or_(Parcel.seller_id == _SELLER, bindparam("is_admin", type_=Boolean)),
)
_LOCK = (
    select(
        Order.order_id,
        Order.status,
        Order.payment_status,
        Order.shipping_preference,
        Order.edited_by,
        Order.total,
        Order.tax,
        Order.tax_included,
        Order.shipping_fee,
        Order.redemptions,
    )
    .join(Parcel, Parcel.order_id == Order.order_id)
    .where(MAY_SEND)
    .with_for_update(of=Order)
)
_PARCELS = (
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.seller_id,
        Parcel.status,
        Parcel.begun_at.is_not(None).label("begun"),
        Parcel.carrier,
        Parcel.tracking_number,
        Parcel.lost_at.is_not(None).label("lost"),
        Parcel.digital,
    )
    .where(Parcel.order_id == bindparam("order_id", type_=Uuid))
    .order_by(Parcel.number)
)


def whose(actor: Actor) -> dict[str, object]:
    """Binds of MAY_SEND."""
    return {
        "seller_id": actor.user_id if actor.kind == "seller" else None,
        "is_admin": actor.kind in {"admin", "service"},
    }


async def lock_order_of(tx: Tx, actor: Actor, parcel_id: UUID) -> LockedOrderOf:
    """The order of one of the seller's parcels, or of any for an administrator. Raises: ParcelNotFound,
    OrderBeingEdited."""
    order = await tx.first_as(LockedOrderOf, _LOCK, {"parcel_id": parcel_id, **whose(actor)})
    if order is None:
        raise ParcelNotFound
    if order.edited_by is not None:
        raise OrderBeingEdited
    return order


async def parcels_of(tx: Tx, order_id: UUID) -> list[LockedParcel]:
    """All parcels of an order that was locked for its actor."""
    return await tx.all_as(LockedParcel, _PARCELS, {"order_id": order_id})


_MINE = Parcel.seller_id == _SELLER
_OF_ORDER = and_(Parcel.order_id == Order.order_id, _MINE)
_MY_LINES = (OrderItem.order_id == Order.order_id, OrderItem.seller_id == _SELLER)
_SUBTOTAL = select(func.sum(OrderItem.subtotal)).where(*_MY_LINES).scalar_subquery().label("subtotal")
_SUMMARY = (
    Order.order_id,
    Order.order_number,
    Order.currency,
    _SUBTOTAL,
    select(func.sum(OrderItem.quantity)).where(*_MY_LINES).scalar_subquery().label("item_count"),
    select(
        json_rows(
            (
                Parcel.parcel_id,
                Parcel.number,
                Parcel.status,
                Parcel.digital,
                Parcel.promised_on,
                Parcel.expected_on,
                Parcel.begun_at,
                Parcel.lost_at,
            ),
            Parcel.number,
        )
    )
    .where(_OF_ORDER)
    .scalar_subquery()
    .label("parcels"),
    Order.created_at,
)
_LINE = (
    OrderItem.order_item_id,
    OrderItem.product_id,
    OrderItem.variant_id,
    *BOUGHT,
    OrderItem.quantity,
    OrderItem.price_at_purchase.label("price"),
    OrderItem.subtotal,
    OrderItem.status,
    RETURNED_UNITS.label("returned_quantity"),
)
_STEP = (
    ParcelEvent.from_status,
    ParcelEvent.to_status,
    ParcelEvent.actor_kind.label("by"),
    ParcelEvent.reason,
    ParcelEvent.created_at.label("at"),
)
_PARCEL = (
    Parcel.parcel_id,
    Parcel.number,
    Parcel.status,
    Parcel.digital,
    Parcel.warehouse_id,
    SHIPS_FROM,
    Parcel.allocation,
    case((while_seen("seller", "shipping_address", Parcel.status), PARCEL_ADDRESS)).label("shipping_address"),
    Parcel.promised_on,
    Parcel.expected_on,
    Parcel.begun_at,
    Parcel.shipped_at,
    Parcel.delivered_at,
    Parcel.carrier,
    Parcel.tracking_number,
    Parcel.lost_at,
    select(json_rows(_LINE, OrderItem.order_item_id))
    .where(OrderItem.order_id == Parcel.order_id, OrderItem.parcel_id == Parcel.parcel_id)
    .scalar_subquery()
    .label("lines"),
    select(json_rows(_STEP, ParcelEvent.sequence))
    .where(ParcelEvent.parcel_id == Parcel.parcel_id)
    .scalar_subquery()
    .label("history"),
)
_UNDER_WAY = exists().where(
    _OF_ORDER, Parcel.shipping_address.is_(None), while_seen("seller", "shipping_address", Parcel.status)
)
# One round trip, and nothing of it comes from another seller's lines or from the buyer.
_IN_FULL = select(
    Order.order_id,
    Order.order_number,
    Order.currency,
    _SUBTOTAL,
    Order.delivery_speed,
    Order.shipping_preference,
    Order.country,
    case((_UNDER_WAY, Order.shipping_address)).label("shipping_address"),
    select(json_rows(_PARCEL, Parcel.number)).where(_OF_ORDER).scalar_subquery().label("parcels"),
    select(json_rows(RETURN, Return.return_id))
    .where(Return.order_id == Order.order_id, Return.seller_id == _SELLER, ~IS_ADJUSTMENT)
    .scalar_subquery()
    .label("returns"),
    select(json_rows(ADJUSTMENT, Return.return_id))
    .where(Return.order_id == Order.order_id, Return.seller_id == _SELLER, IS_ADJUSTMENT)
    .scalar_subquery()
    .label("adjustments"),
    Order.created_at,
).where(Order.order_id == bindparam("order_id", type_=Uuid), exists().where(_OF_ORDER))


async def seller_order(tx: ReadTx, actor: Actor, order_id: UUID) -> SellerOrderBody:
    """The seller's part of an order. Raises: OrderNotFound when the seller has none."""
    whose = {"order_id": order_id, "seller_id": actor.user_id}
    order = await tx.first_as(SellerOrderBody, _IN_FULL, whose)
    if order is None:
        raise OrderNotFound
    return order


@dataclass(frozen=True, slots=True)
class SellerFilter:
    """`status`: a parcel of the seller has it. `since`, `until`: days on which the order was placed, UTC, both
    included. `text`: how the order's number begins."""

    status: str | None = None
    since: date | None = None
    until: date | None = None
    text: str | None = None

    def values(self) -> dict[str, object]:
        """The binds of those that are given."""
        given: dict[str, object | None] = {
            "status": self.status,
            **day_bounds(self.since, self.until),
            "text": self.text and literal(self.text.strip()) + "%",
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SellerOrderPage:
    """`total` is None after a cursor; `next` is None on the last page."""

    orders: list[SellerOrderSummary]
    total: int | None
    next: Position | None


async def seller_orders(
    tx: ReadTx, actor: Actor, wanted: SellerFilter, *, page: PageParams, after: Position | None
) -> SellerOrderPage:
    """A page of the orders that the seller has a part in, newest first."""
    values = {"seller_id": actor.user_id, **wanted.values()}
    names = tuple(sorted(wanted.values()))
    total: int | None = None if after is not None else await tx.scalar(_count(names), values)
    paged = {**values, **start_of(page, after), "limit": page.limit + 1}
    rows = await tx.all_as(SellerOrderSummary, _list(names, after is not None), paged)
    orders = rows[: page.limit]
    more = len(rows) > page.limit
    return SellerOrderPage(orders, total, Position(orders[-1].created_at, orders[-1].order_id) if more else None)


_FILTERS: dict[str, ColumnElement[bool]] = {
    "status": Parcel.status == bindparam("status", type_=String),
    "since": Parcel.created_at >= bindparam("since", type_=DateTime(timezone=True)),
    "until": Parcel.created_at < bindparam("until", type_=DateTime(timezone=True)),
    "text": Order.order_number.like(bindparam("text", type_=String)),
}


# Built once per shape, because building and hashing a statement takes longer than Postgres takes to run it.
@cache
def _list(names: tuple[str, ...], behind_cursor: bool) -> Select[Any]:  # Any: columns of several types
    mine = _filtered(select(Parcel.order_id, Parcel.created_at), names).distinct()
    if behind_cursor:
        mine = mine.where(behind(Parcel.created_at, Parcel.order_id))
    mine = mine.order_by(Parcel.created_at.desc(), Parcel.order_id.desc()).limit(bindparam("limit", type_=Integer))
    if not behind_cursor:
        mine = mine.offset(bindparam("offset", type_=Integer))
    found = mine.subquery("mine")
    return (
        select(*_SUMMARY)
        .join(found, found.c.order_id == Order.order_id)
        .order_by(found.c.created_at.desc(), found.c.order_id.desc())
    )


@cache
def _count(names: tuple[str, ...]) -> Select[tuple[int]]:
    return _filtered(select(func.count(func.distinct(Parcel.order_id))), names)


def _filtered(statement: Select[Any], names: tuple[str, ...]) -> Select[Any]:  # Any: columns of several types
    mine = statement.select_from(Parcel).where(_MINE, *(_FILTERS[name] for name in names))
    return mine.join(Order, Order.order_id == Parcel.order_id) if "text" in names else mine
