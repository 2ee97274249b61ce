"""Whether somebody bought a product."""

from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, cast, or_, select

from api.kernel.actor import Actor
from api.kernel.db import ReadTx
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


async def has_bought(tx: ReadTx, actor: Actor, product_id: UUID) -> bool:
    """Whether the actor has an order of the product that was confirmed and is not cancelled."""
    asked = {"product_id": product_id, "buyer": actor.user_id}
    return actor.user_id is not None and await tx.first(_BOUGHT, asked) is not None
