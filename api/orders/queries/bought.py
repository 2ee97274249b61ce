"""Whether somebody bought a product, and what was delivered to whom."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, or_, select

from api.kernel.actor import Actor
from api.kernel.db import Query, ReadTx, Result
from api.orders.models import Order, OrderItem

_PRODUCT = bindparam("product_id", type_=Uuid)
# Also as a kit, of which the order has lines of the components.
_BOUGHT = (
    select(OrderItem.order_item_id)
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(
        or_(OrderItem.product_id == _PRODUCT, OrderItem.kit["productId"].astext == cast(_PRODUCT, Text)),
        Order.user_id == bindparam("buyer", type_=Uuid),
        Order.status.not_in(["pending", "cancelled"]),
        OrderItem.status != "cancelled",
    )
    .limit(1)
)

# A line that was returned was delivered before.
DELIVERED = ("delivered", "return_requested", "return_approved", "refunded")
_RECEIVED = (
    select(Order.order_id)
    .join(OrderItem, Order.order_id == OrderItem.order_id)
    .where(
        or_(OrderItem.product_id == _PRODUCT, OrderItem.kit["productId"].astext == cast(_PRODUCT, Text)),
        Order.user_id == bindparam("buyer", type_=Uuid),
        OrderItem.status.in_(DELIVERED),
    )
    .order_by(Order.order_id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class DeliveredLine:
    """A line that was delivered, as a review is about: of a kit, its product is the kit. `user_id` None: a guest's."""

    order_item_id: UUID
    order_id: UUID
    user_id: UUID | None
    product_id: UUID
    title: str | None
    status: str


_OF_KIT = cast(OrderItem.kit["productId"].astext, Uuid)
_LINES = (
    select(
        OrderItem.order_item_id,
        OrderItem.order_id,
        Order.user_id,
        func.coalesce(_OF_KIT, OrderItem.product_id).label("product_id"),
        OrderItem.title,
        OrderItem.status,
    )
    .join(Order, Order.order_id == OrderItem.order_id)
    .where(OrderItem.status.in_(DELIVERED), Order.origin == "native")
    .order_by(OrderItem.order_item_id)
)
_OF_ORDERS = _LINES.where(OrderItem.order_id == any_(bindparam("orders", type_=ARRAY(Uuid))))
_BY_ID = _LINES.where(OrderItem.order_item_id == any_(bindparam("lines", type_=ARRAY(Uuid))))


async def has_bought(tx: ReadTx, actor: Actor, product_id: UUID) -> bool:
    """Whether the actor has an order of the product that was confirmed and is not cancelled."""
    asked = {"product_id": product_id, "buyer": actor.user_id}
    return actor.user_id is not None and await tx.first(_BOUGHT, asked) is not None


def received_query(actor: Actor, product_id: UUID) -> Query[UUID | None]:
    """The first order of the actor's in which the product was delivered; None without one."""
    return Query(_RECEIVED, {"product_id": product_id, "buyer": actor.user_id}, _first_value)


def _first_value(result: Result) -> UUID | None:
    found: UUID | None = result.rows[0][0] if result.rows else None
    return found


async def delivered_in(tx: ReadTx, orders: Collection[UUID]) -> list[DeliveredLine]:
    """What was delivered of these orders, for the relay, which acts for nobody."""
    return await tx.all_as(DeliveredLine, _OF_ORDERS, {"orders": list(orders)})


async def delivered_lines(tx: ReadTx, lines: Collection[UUID]) -> list[DeliveredLine]:
    """These lines, without those that were not delivered, for the worker."""
    return await tx.all_as(DeliveredLine, _BY_ID, {"lines": list(lines)})
