"""Reads of an order that its buyer wants to change, and of the edits themselves."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, any_, bindparam, exists, false, func, literal_column, or_, select

from api.kernel.actor import Actor
from api.kernel.db import ReadTx, Tx, done, first_as
from api.orders.edits.errors import EditNotFound
from api.orders.edits.models import OrderEdit
from api.orders.errors import OrderNotFound
from api.orders.labels.models import LIVE, ParcelLabel
from api.orders.models import Order, OrderItem, Parcel, Return
from api.orders.queries.access import IS_BUYER, MAY_SEE, actor_values
from api.orders.queries.locked import LOCK, RETURNED_UNITS, lines_of
from api.orders.returns.returnable import OrderAmounts, OrderLine


@dataclass(frozen=True, slots=True)
class Bought:
    """A line in the words and at the prices of the moment in which it was bought. `price` per unit."""

    order_item_id: UUID
    price: Decimal
    list_price: Decimal | None
    promotion: str | None
    title: str
    sku: str
    attributes: dict[str, object]
    image_url: str
    tax_rate: Decimal
    tax_class: str
    return_days: int | None
    condition: str | None
    min_age: int | None
    kit: dict[str, Any] | None  # Any: JSON of a KitBought


@dataclass(frozen=True, slots=True)
class Packed:
    """A parcel of the order. `elsewhere`: it goes to another address than the order; `labelled`: its label is bought,
    with its weight and address on it."""

    parcel_id: UUID
    number: int
    seller_id: UUID
    warehouse_id: UUID | None
    status: str
    promised_on: date | None
    elsewhere: bool
    labelled: bool
    digital: bool

    @property
    def open(self) -> bool:
        """Whether its seller has to send it, and has done nothing for it."""
        return self.status == "confirmed" and not self.labelled and not self.digital


@dataclass(frozen=True, slots=True)
class _Head:
    order_id: UUID
    status: str
    payment_status: str
    currency: str
    subtotal: Decimal
    tax: Decimal
    tax_included: Decimal
    shipping_fee: Decimal
    discount: Decimal
    redemptions: int
    total: Decimal
    shipping_address: dict[str, str]
    delivery_speed: str
    shipping_preference: str
    edits: int
    returned: Decimal
    edited_by: UUID | None
    is_buyer: bool


@dataclass(frozen=True, slots=True)
class Editable:
    """An order with all that an edit of it depends on."""

    head: _Head
    lines: tuple[OrderLine, ...]
    bought: dict[UUID, Bought]
    parcels: tuple[Packed, ...]

    @property
    def order_id(self) -> UUID:
        return self.head.order_id

    @property
    def status(self) -> str:
        return self.head.status

    @property
    def redemptions(self) -> int:
        return self.head.redemptions

    @property
    def due(self) -> Decimal:
        """What is due for the order without what its returns give back, or will once they are approved."""
        return self.head.total - self.head.returned

    @property
    def amounts(self) -> OrderAmounts:
        return OrderAmounts(self.head.total, self.head.tax, self.head.tax_included, self.head.shipping_fee)

    @property
    def version(self) -> str:
        """Changes with everything that an edit depends on, and not with what pays for it."""
        lines = [
            (line.order_item_id, line.quantity, line.returned, line.status, line.goods_given, line.tax_given)
            for line in self.lines
        ]
        parcels = [(parcel.parcel_id, parcel.status, parcel.labelled) for parcel in self.parcels]
        told = (self.head.status, self.head.total, self.head.edits, self.head.returned, lines, parcels)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


_RETURNED = (
    select(func.coalesce(func.sum(Return.refund_amount), 0))
    .where(Return.order_id == Order.order_id, or_(Return.status == "approved", Return.status == "refunded"))
    .scalar_subquery()
)


def _order() -> Select[Any]:  # Any: the columns of a _Head
    return select(
        Order.order_id,
        Order.status,
        Order.payment_status,
        Order.currency,
        Order.subtotal,
        Order.tax,
        Order.tax_included,
        Order.shipping_fee,
        Order.discount,
        Order.redemptions,
        Order.total,
        Order.shipping_address,
        Order.delivery_speed,
        Order.shipping_preference,
        Order.edits,
        _RETURNED.label("returned"),
        Order.edited_by,
        func.coalesce(IS_BUYER, false()).label("is_buyer"),
    ).where(Order.order_id == bindparam("order_id"), MAY_SEE)


_READ = _order()
_BOUGHT = (
    select(
        OrderItem.order_item_id,
        OrderItem.price_at_purchase.label("price"),
        OrderItem.list_price,
        OrderItem.promotion,
        func.coalesce(OrderItem.title, "").label("title"),
        func.coalesce(OrderItem.sku, "").label("sku"),
        func.coalesce(OrderItem.attributes, func.jsonb_build_object()).label("attributes"),
        func.coalesce(OrderItem.image_url, "").label("image_url"),
        func.coalesce(OrderItem.tax_rate, 0).label("tax_rate"),
        func.coalesce(OrderItem.tax_class, "standard").label("tax_class"),
        OrderItem.return_days,
        OrderItem.condition,
        OrderItem.min_age,
        OrderItem.kit,
    )
    .where(OrderItem.order_id == bindparam("order_id"))
    .order_by(OrderItem.order_item_id)
)
_PARCELS = (
    select(
        Parcel.parcel_id,
        Parcel.number,
        Parcel.seller_id,
        Parcel.warehouse_id,
        Parcel.status,
        Parcel.promised_on,
        Parcel.shipping_address.is_not(None).label("elsewhere"),
        exists().where(ParcelLabel.parcel_id == Parcel.parcel_id, literal_column(LIVE)).label("labelled"),
        Parcel.digital,
    )
    .where(Parcel.order_id == bindparam("order_id"))
    .order_by(Parcel.number)
)


async def editable(tx: Tx, actor: Actor, order_id: UUID, *, lock: bool = False) -> Editable:
    """The order with its lines and parcels; with `lock`, its row is locked until the transaction ends.

    Raises: OrderNotFound.
    """
    values = {"order_id": order_id, **actor_values(actor)}
    read = first_as(_Head, _READ, values)
    head = (await tx.batch(done(LOCK, values), read))[1] if lock else await tx.fetch(read)
    if head is None:
        raise OrderNotFound
    lines = await lines_of(tx, head)
    bought = await tx.all_as(Bought, _BOUGHT, {"order_id": order_id})
    parcels = await tx.all_as(Packed, _PARCELS, {"order_id": order_id})
    return Editable(head, tuple(lines), {one.order_item_id: one for one in bought}, tuple(parcels))


@dataclass(frozen=True, slots=True)
class LeftLine:
    """What is left of a line, in the mail about an edit. `kit`: what it was bought as a part of."""

    order_id: UUID
    title: str
    quantity: int
    amount: Decimal
    kit: dict[str, Any] | None  # Any: JSON


_UNITS = OrderItem.quantity - RETURNED_UNITS
_LEFT = (
    select(
        OrderItem.order_id,
        func.coalesce(OrderItem.title, "").label("title"),
        _UNITS.label("quantity"),
        (OrderItem.price_at_purchase * _UNITS).label("amount"),
        OrderItem.kit,
    )
    .where(OrderItem.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))), _UNITS > 0)
    .order_by(OrderItem.order_id, OrderItem.order_item_id)
)


async def lines_left(tx: ReadTx, order_ids: Iterable[UUID]) -> list[LeftLine]:
    """The lines of these orders without what was cancelled or came back."""
    return await tx.all_as(LeftLine, _LEFT, {"ids": list(order_ids)})


@dataclass(frozen=True, slots=True)
class StoredEdit:
    """A row of order_edits. `expired`: it can no longer be committed."""

    edit_id: UUID
    order_id: UUID
    version: str
    point: str
    plan: dict[str, object]
    charged: Decimal
    expires_at: datetime
    expired: bool


_EDIT = (
    select(
        OrderEdit.edit_id,
        OrderEdit.order_id,
        OrderEdit.version,
        OrderEdit.point,
        OrderEdit.plan,
        OrderEdit.charged,
        OrderEdit.expires_at,
        (OrderEdit.expires_at < func.now()).label("expired"),
    )
    .join(Order, Order.order_id == OrderEdit.order_id)
    .where(
        OrderEdit.edit_id == bindparam("edit_id", type_=Uuid),
        OrderEdit.order_id == bindparam("order_id", type_=Uuid),
        IS_BUYER,
    )
)
_EDIT_LOCKED = _EDIT.with_for_update(of=OrderEdit)


async def edit_of(tx: ReadTx, actor: Actor, place: tuple[UUID, UUID], *, lock: bool = False) -> StoredEdit:
    """The buyer's edit, `place` (order, edit). Raises: EditNotFound, also when it was dropped."""
    order_id, edit_id = place
    values = {"order_id": order_id, "edit_id": edit_id, **actor_values(actor)}
    edit = await tx.first_as(StoredEdit, _EDIT_LOCKED if lock else _EDIT, values)
    if edit is None or edit.point == "dropped":
        raise EditNotFound
    return edit
