"""Move a whole order one step along: processing, shipped, delivered. `orders/parcels` moves one parcel."""

from uuid import UUID

from fastapi import Response

from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.orders.commands.change import change_order, impossible
from api.orders.errors import StillBeingPlaced
from api.orders.parcels.derived import passed
from api.orders.parcels.moving import move_parcels
from api.orders.parcels.queries import parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import lock_order
from api.orders.schemas import AdvanceOrder, OrderState
from api.orders.states import may_follow


async def advance_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: AdvanceOrder) -> Response:
    """One step of fulfilment by the seller of every line, or an administrator: of all parcels that have not taken it,
    wait for no units and are not delivered online.

    Raises: OrderNotFound, Forbidden, ImpossibleMove, StillBeingPlaced.
    """
    return await change_order(ctx, key, lambda tx: _advance(tx, actor, order_id, request))


async def _advance(tx: Tx, actor: Actor, order_id: UUID, request: AdvanceOrder) -> OrderState:
    order = await lock_order(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of every line, or an administrator, may do this.")
    # The state machine also has a step from return_requested to delivered: it refuses a return and is no delivery.
    if order.status == "return_requested":
        raise impossible(order.status, request.status)
    parcels = await parcels_of(tx, order.order_id)
    there = [
        parcel for parcel in parcels if parcel.standing.counts and parcel.status != "backordered" and not parcel.digital
    ]
    behind = [parcel for parcel in there if not passed(parcel.status, request.status)]
    if not behind or not all(may_follow(parcel.status, request.status) for parcel in behind):
        raise impossible(order.status, request.status)
    if order.payment_status == "authorised":
        raise StillBeingPlaced
    moves = [ParcelMove(parcel.parcel_id, order_id, parcel.status, request.status, actor.kind) for parcel in behind]
    status = await move_parcels(tx, order, parcels, moves)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status)
