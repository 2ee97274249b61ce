"""One order in full."""

from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, or_, select, true

from api.kernel.actor import Actor
from api.kernel.db import ReadTx
from api.kernel.money import ZERO
from api.kernel.nested import json_object, json_rows
from api.orders.errors import OrderNotFound
from api.orders.models import Order, OrderEvent, OrderItem, Parcel, Return
from api.orders.parcels.places import SHIPS_FROM, WAREHOUSE_COUNTRY
from api.orders.queries.access import IS_ADMIN, IS_BUYER, IS_SELLER, MAY_SEE, SELLER, actor_values
from api.orders.queries.lines import BOUGHT, TITLE
from api.orders.queries.locked import RETURNED_UNITS
from api.orders.queries.privacy import PARCEL_ADDRESS, Viewer, seen
from api.orders.returns.returned import ADJUSTMENT, IS_ADJUSTMENT, RETURN
from api.orders.schemas import OrderBody
from api.payments.models import Payment
from api.sellers.models import Seller

_ITEM = (
    OrderItem.order_item_id,
    OrderItem.product_id,
    OrderItem.variant_id,
    OrderItem.seller_id,
    *BOUGHT,
    OrderItem.list_price,
    OrderItem.discount,
    OrderItem.promotion,
    OrderItem.tax_rate,
    OrderItem.tax_amount,
    OrderItem.tax_included,
    OrderItem.tax_class,
    OrderItem.return_days,
    OrderItem.quantity,
    OrderItem.price_at_purchase.label("price"),
    OrderItem.subtotal,
    OrderItem.status,
    RETURNED_UNITS.label("returned_quantity"),
)
_VIEWERS: dict[Viewer, ColumnElement[bool]] = {"buyer": IS_BUYER, "seller": IS_SELLER, "admin": IS_ADMIN}
_PARCEL_LINE = (
    OrderItem.order_item_id,
    TITLE,
    OrderItem.quantity,
)
_PARCEL = (
    Parcel.parcel_id,
    Parcel.number,
    Parcel.seller_id,
    select(Seller.name).where(Seller.seller_id == Parcel.seller_id).scalar_subquery().label("seller_name"),
    WAREHOUSE_COUNTRY,
    SHIPS_FROM,
    case((or_(IS_ADMIN, Parcel.seller_id == SELLER), Parcel.allocation)).label("allocation"),
    Parcel.status,
    Parcel.digital,
    seen("shipping_address", PARCEL_ADDRESS, _VIEWERS, Parcel.status).label("shipping_address"),
    Parcel.promised_on,
    Parcel.expected_on,
    Parcel.shipped_at,
    Parcel.delivered_at,
    Parcel.carrier,
    Parcel.tracking_number,
    Parcel.lost_at,
    select(json_rows(_PARCEL_LINE, OrderItem.order_item_id))
    .where(OrderItem.order_id == Parcel.order_id, OrderItem.parcel_id == Parcel.parcel_id)
    .scalar_subquery()
    .label("lines"),
)
_STEP = (
    OrderEvent.from_status,
    OrderEvent.to_status,
    OrderEvent.actor_kind.label("by"),
    OrderEvent.reason,
    OrderEvent.created_at.label("at"),
)
# Of all payments: placing the order, and its edits.
_PAID = (
    select(
        func.sum(Payment.captured_amount).label("captured"),
        func.sum(Payment.refunded_amount).label("refunded"),
    )
    .where(Payment.order_id == Order.order_id)
    .correlate(Order)
    .lateral("paid")
)
_PAYMENT = (
    Order.payment_method.label("method"),
    Order.payment_status.label("status"),
    func.coalesce(_PAID.c.captured, ZERO).label("captured"),
    func.coalesce(_PAID.c.refunded, ZERO).label("refunded"),
)
# One statement over the tables of orders, stores, warehouses and payments, so that reading an order is one round trip.
# A line has its own words: an order never shows what its product is called later.
_IN_FULL = (
    select(
        Order.order_id,
        Order.order_number,
        Order.status,
        Order.currency,
        select(json_rows(_ITEM, OrderItem.order_item_id))
        .where(OrderItem.order_id == Order.order_id)
        .scalar_subquery()
        .label("items"),
        select(json_rows(_PARCEL, Parcel.number))
        .where(Parcel.order_id == Order.order_id)
        .scalar_subquery()
        .label("parcels"),
        Order.subtotal,
        Order.tax,
        Order.tax_included,
        Order.shipping_fee.label("shipping"),
        Order.discount,
        Order.total,
        json_object(_PAYMENT).label("payment"),
        seen("shipping_address", Order.shipping_address, _VIEWERS, Order.status).label("shipping_address"),
        seen("email", Order.guest_email, _VIEWERS, Order.status).label("email"),
        Order.delivery_speed,
        Order.shipping_preference,
        Order.estimated_delivery,
        Order.actual_delivery.label("delivered_at"),
        select(json_rows(_STEP, OrderEvent.sequence))
        .where(OrderEvent.order_id == Order.order_id)
        .scalar_subquery()
        .label("history"),
        select(json_rows(RETURN, Return.return_id))
        .where(Return.order_id == Order.order_id, ~IS_ADJUSTMENT)
        .scalar_subquery()
        .label("returns"),
        select(json_rows(ADJUSTMENT, Return.return_id))
        .where(Return.order_id == Order.order_id, IS_ADJUSTMENT)
        .scalar_subquery()
        .label("adjustments"),
        Order.created_at,
        Order.updated_at,
    )
    .select_from(Order)
    .outerjoin(_PAID, true())
    .where(Order.order_id == bindparam("order_id"), MAY_SEE)
)


async def order_of(tx: ReadTx, actor: Actor, order_id: UUID, reason: str | None = None) -> OrderBody:
    """One order in full, one round trip. Raises: OrderNotFound.

    `reason`: for an administrator, who sees the buyer's data with it; `commands.access.show_order` writes it down.
    """
    order = await tx.first_as(OrderBody, _IN_FULL, {"order_id": order_id, **actor_values(actor, reason)})
    if order is None:
        raise OrderNotFound
    return order
