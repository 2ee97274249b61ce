"""Move an order one step along: processing, shipped, delivered."""

from uuid import UUID

from fastapi import Response

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.orders.commands.change import change_order, impossible, write
from api.orders.errors import StillBeingPlaced
from api.orders.queries.locked import lock_order
from api.orders.schemas import AdvanceOrder, OrderState
from api.orders.statements import Step, move_part
from api.orders.states import may_follow


async def advance_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: AdvanceOrder) -> Response:
    """One step of fulfilment by the seller of every line, or an administrator.

    Raises: OrderNotFound, Forbidden, ImpossibleMove, StillBeingPlaced.
    """
    return await change_order(ctx, key, lambda tx: _advance(tx, actor, order_id, request))


async def _advance(tx: Tx, actor: Actor, order_id: UUID, request: AdvanceOrder) -> OrderState:
    order = await lock_order(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of every line, or an administrator, may do this.")
    # The state machine also has a step from return_requested to delivered: it refuses a return and is no delivery.
    if not may_follow(order.status, request.status) or order.status == "return_requested":
        raise impossible(order.status, request.status)
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    move = Step(order_id, order.status, request.status, actor.kind)
    await write(tx, [move_part(move)], [move.event()])
    return OrderState(order_id=order_id, status=request.status, payment_status=order.payment_status)
