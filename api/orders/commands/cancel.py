"""Cancel an order before it is shipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from fastapi import Response

from api.inventory import statements as stock
from api.kernel.actor import Actor, ActorKind
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.outbox import Event
from api.orders.commands.change import change_order, impossible
from api.orders.errors import StillBeingPlaced
from api.orders.parcels.moving import Along, Locked, move_parcels
from api.orders.parcels.queries import LockedParcel, parcels_of
from api.orders.parcels.statements import ParcelMove
from api.orders.queries.locked import lines_of, lock_order
from api.orders.refunds import settle_refunds
from api.orders.returns.returnable import OrderAmounts, OrderLine, not_given_back
from api.orders.schemas import CancelOrder, OrderState
from api.orders.states import CANCELLABLE
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import OrderPayment, request_refund


async def cancel_order(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: CancelOrder) -> Response:
    """Cancel for the buyer or an administrator: all of the money is refunded, all units are restocked.

    Raises: OrderNotFound, ImpossibleMove, StillBeingPlaced, Forbidden (a seller who is not the buyer).
    """
    answer = await change_order(ctx, key, lambda tx: _cancel(tx, actor, order_id, request))
    await settle_refunds(ctx, order_id)
    return answer


async def _cancel(tx: Tx, actor: Actor, order_id: UUID, request: CancelOrder) -> OrderState:
    order = await lock_order(tx, actor, order_id)
    if not order.is_buyer and actor.kind != "admin":
        raise Forbidden("Only the buyer may cancel; a seller refuses an order through support.")
    if order.status == "pending":
        raise StillBeingPlaced
    parcels = await parcels_of(tx, order_id)
    living = [parcel for parcel in parcels if parcel.status != "cancelled"]
    # An order is in processing, too, when one of its parcels is on its way and another is not.
    if order.status not in CANCELLABLE or not all(parcel.status in CANCELLABLE for parcel in living):
        raise impossible(order.status, "cancelled")
    payment = await lock_payment(tx, order_id)
    if payment is None or payment.status != "captured":
        raise StillBeingPlaced
    everything = Everything(order, parcels, await lines_of(tx, order), payment)
    await cancel_everything(tx, everything, actor.kind, request.reason)
    return OrderState(
        order_id=order_id, status="cancelled", payment_status="refunded", refund_amount=payment.refundable
    )


class _Locked(Locked, Protocol):
    @property
    def amounts(self) -> OrderAmounts: ...


@dataclass(frozen=True, slots=True)
class Everything:
    """A locked order of which nothing is on its way."""

    order: _Locked
    parcels: Sequence[LockedParcel]
    lines: Sequence[OrderLine]
    payment: OrderPayment


async def cancel_everything(
    tx: Tx,
    whole: Everything,
    kind: ActorKind,
    reason: str | None,
    *,
    restocked: bool = True,
    events: Sequence[Event] = (),
) -> None:
    """Cancel what is left of an order: all its parcels, and all of its money goes back. `events`: others to publish."""
    order_id = whole.order.order_id
    living = [parcel for parcel in whole.parcels if parcel.status != "cancelled"]
    why = reason and reason[:200]
    moves = [ParcelMove(parcel.parcel_id, order_id, parcel.status, "cancelled", kind, why) for parcel in living]
    # Units that were cancelled before are back already, and so is their money.
    left = [(line.variant_id, line.warehouse_id, line.returnable) for line in whole.lines if line.returnable]
    kept = not_given_back(whole.order.amounts, whole.lines)
    refund = request_refund(whole.payment, order_id, _left(whole.payment, kept))
    restock = stock.restock(order_id, left if restocked else [], cancels_order=True)
    along = Along([restock, *refund.parts], [*refund.events, *events], "refunded")
    await move_parcels(tx, whole.order, whole.parcels, moves, along)


def _left(payment: OrderPayment, kept: Parts) -> Parts:
    """All that is left of what the buyer paid, by what it was paid for."""
    return Parts(kept.goods, kept.tax, payment.refundable - kept.goods - kept.tax)
