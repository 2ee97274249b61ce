"""Reads of a buyer's data that leave a trace."""

from uuid import UUID

from sqlalchemy import insert

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.orders.models import BuyerDataAccess
from api.orders.queries.detail import order_of
from api.orders.queries.privacy import audited
from api.orders.schemas import OrderBody


async def show_order(ctx: Context, actor: Actor, order_id: UUID, reason: str | None) -> OrderBody:
    """One order in full. An administrator who says why sees the buyer's data too, which is written down first.

    Raises: OrderNotFound.
    """
    if reason is None or actor.kind != "admin" or actor.user_id is None:
        async with ctx.db.read() as read:
            return await order_of(read, actor, order_id)
    values = {
        "access_id": new_id(),
        "actor_id": actor.user_id,
        "actor_kind": actor.kind,
        "order_id": order_id,
        "fields": list(audited("admin")),
        "reason": reason,
    }

    async def work(tx: Tx) -> OrderBody:
        order = await order_of(tx, actor, order_id, reason)
        await tx.execute(insert(BuyerDataAccess).values(values))
        return order

    return await ctx.db.run(work)
