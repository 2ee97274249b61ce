"""Parcels for lines that a process of a release without parcels has written after the migration had filled them."""

from sqlalchemy import Integer, bindparam, select

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.jobs import in_batches
from api.orders.models import Order, OrderItem
from api.orders.parcels.statements import PACK_LINES

BATCH = 500
# A pending order is moved by the process that places it, without parcels: they would be left behind. Orders that
# somebody else has locked are for the next time.
_UNPACKED = (
    select(Order.order_id)
    .where(
        Order.order_id.in_(select(OrderItem.order_id).where(OrderItem.parcel_id.is_(None))), Order.status != "pending"
    )
    .order_by(Order.order_id)
    .limit(bindparam("size", type_=Integer))
    .with_for_update(skip_locked=True)
)


async def fill_parcels(ctx: Context) -> int:
    """Give parcels to the lines that have none; returns of how many orders."""
    return await in_batches(ctx, BATCH, pack_lines)


async def pack_lines(tx: Tx, size: int) -> int:
    """Of at most `size` orders; returns of how many."""
    orders = [row[0] for row in await tx.all(_UNPACKED, {"size": size})]
    await tx.execute(PACK_LINES, {"unpacked": orders})
    return len(orders)
