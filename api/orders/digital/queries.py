"""What a buyer was delivered online: for them alone."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import ReadTx
from api.orders.digital.schemas import DeliveredLine, DigitalGoods
from api.orders.downloads.queries import downloads_of
from api.orders.errors import OrderNotFound
from api.orders.keys.queries import keys_of
from api.orders.models import Order, OrderItem, Parcel
from api.orders.queries.access import IS_BUYER, actor_values
from api.orders.queries.lines import TITLE

_BOUGHT = select(Order.order_id).where(Order.order_id == bindparam("order_id", type_=Uuid), IS_BUYER)
_LINES = (
    select(OrderItem.order_item_id, TITLE)
    .join(Order, Order.order_id == OrderItem.order_id)
    .join(Parcel, Parcel.parcel_id == OrderItem.parcel_id)
    .where(
        Order.order_id == bindparam("order_id", type_=Uuid),
        IS_BUYER,
        Parcel.digital,
        Parcel.delivered_at.is_not(None),
    )
    .order_by(OrderItem.order_item_id)
)


@dataclass(frozen=True, slots=True)
class _Line:
    order_item_id: UUID
    title: str


async def digital_goods(tx: ReadTx, ctx: Context, actor: Actor, order_id: UUID) -> DigitalGoods:
    """What the buyer got. Raises: OrderNotFound, for all but the buyer."""
    asked = {"order_id": order_id, **actor_values(actor)}
    if await tx.first(_BOUGHT, asked) is None:
        raise OrderNotFound
    lines = await tx.all_as(_Line, _LINES, asked)
    found = await keys_of(tx, ctx.keys, actor, order_id)
    downloads = await downloads_of(tx, ctx, actor, order_id)
    return DigitalGoods(
        order_id=order_id,
        lines=[
            DeliveredLine(
                order_item_id=line.order_item_id,
                title=line.title,
                keys=found.get(line.order_item_id, []),
                download=downloads.get(line.order_item_id),
            )
            for line in lines
        ],
    )
