"""The effect of a refund on its order: payments calls the gateway and records the money; orders
changes its own rows in the same commit."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import select

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import events_part
from api.kernel.statement import compose
from api.orders.models import Order
from api.orders.statements import Step, decide_part, move_part, payment_status_part
from api.payments.commands import issue_refunds, lock_balance
from api.payments.statements import IssuedRefund, issued_event, issued_part


@dataclass(frozen=True, slots=True)
class _Refunded:
    """The state of a refund's order."""

    status: str
    payment_status: str


async def settle_refunds(ctx: Context, order_id: UUID | None = None) -> int:
    """Request every pending refund, of one order or of all, at its gateway and record those made; returns how many."""
    made = 0
    async for issued in issue_refunds(ctx, order_id):
        await ctx.db.run(partial(_record, issued=issued))
        made += 1
    return made


async def _record(tx: Tx, issued: IssuedRefund) -> None:
    """Record the gateway's answer once: the refund, the payment's sum, the returns it pays for, and the last
    step of an order that was returned in full."""
    order_id = issued.refund.order_id
    statement = select(Order.status, Order.payment_status).where(Order.order_id == order_id).with_for_update()
    order = await tx.first_as(_Refunded, statement)
    if order is None:
        raise AssertionError(f"refund {issued.refund.refund_id} has no order")
    balance = await lock_balance(tx, issued.refund)
    parts, events = [issued_part(issued)], [issued_event(issued)]
    if order.status == "return_approved" and balance.kept == issued.refund.amount:
        move = Step(order_id, "return_approved", "refunded", "service", payment_status="refunded")
        parts += [decide_part(order_id, "approved", "refunded"), move_part(move)]
        events.append(move.event())
    else:
        # Which refund belongs to which return is not recorded: the last of the order's refunds settles its returns.
        if not balance.others_pending:
            parts.append(decide_part(order_id, "approved", "refunded"))
        after = "refunded" if order.status == "cancelled" else order.payment_status
        parts.append(payment_status_part(after, {order_id: None}))
    await tx.execute(*compose([*parts, events_part(events)], "1"))
