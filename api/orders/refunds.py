"""The effect of a refund on its order: payments calls the gateway and records the money; orders
changes its own rows in the same commit."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import bindparam, select

from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import events_part
from api.kernel.statement import compose
from api.orders.models import Order, Return
from api.orders.returns.statements import DecidedReturn, decide_part
from api.orders.statements import Step, move_part, payment_status_part
from api.payments.commands import Balance, issue_refunds, lock_balance
from api.payments.statements import IssuedRefund, issued_event, issued_part


@dataclass(frozen=True, slots=True)
class _Refunded:
    """The state of a refund's order."""

    status: str
    payment_status: str


@dataclass(frozen=True, slots=True)
class _Open:
    """A return that is not settled; `refund_id` is null for one that was approved before refunds had names."""

    return_id: UUID
    status: str
    refund_id: UUID | None


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
    open_returns = await tx.all_as(_Open, _OPEN_RETURNS, {"order_id": order_id})
    paid = [row.return_id for row in open_returns if _pays(issued, balance, row)]
    parts, events = [issued_part(issued)], [issued_event(issued)]
    if paid:
        parts.append(decide_part([DecidedReturn(found) for found in paid], "approved", "refunded"))
    everything = balance.kept == issued.refund.amount
    after = "refunded" if order.status == "cancelled" or everything else "partially_refunded"
    if order.status == "return_approved" and len(paid) == len(open_returns):
        move = Step(order_id, "return_approved", "refunded", "service", payment_status=after)
        parts.append(move_part(move))
        events.append(move.event())
    else:
        parts.append(payment_status_part(after, {order_id: None}))
    await tx.execute(*compose([*parts, events_part(events)], "1"))


def _pays(issued: IssuedRefund, balance: Balance, found: _Open) -> bool:
    """Whether the refund pays this return: it is named there, and it is the last of its booking. A return that names
    none is paid by the last refund."""
    if found.status != "approved":
        return False
    if found.refund_id is None:
        return not balance.others_pending
    return found.refund_id == issued.refund.booking_id and not balance.booking_pending


_OPEN_RETURNS = (
    select(Return.return_id, Return.status, Return.refund_id)
    .where(Return.order_id == bindparam("order_id"), Return.status.in_(("requested", "approved")))
    .order_by(Return.return_id)
)
