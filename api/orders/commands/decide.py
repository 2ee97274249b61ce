"""Decide returns, each once: the seller approves or refuses, and the refund policy says what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from fastapi import Response

from api.inventory import statements as stock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, Forbidden
from api.kernel.idempotency import RequestKey
from api.kernel.money import ZERO, to_cents
from api.kernel.outbox import Event
from api.kernel.statement import Part
from api.orders.commands.change import change_order, impossible, write
from api.orders.commands.returns import return_event
from api.orders.errors import FeeTooHigh, ReturnDecided, ReturnNotFound
from api.orders.queries.locked import (
    LockedOrder,
    RequestedReturn,
    awaits_refunds,
    lines_of,
    lock_to_decide,
    requested_returns_of,
    status_of_return,
)
from api.orders.refunds import settle_refunds
from api.orders.returns.policy import POLICIES, has_label
from api.orders.returns.statements import DecidedReturn, decide_part
from api.orders.schemas import ApproveReturn, DecideReturn, OrderState, RejectReturn
from api.orders.statements import Step, move_part
from api.payments.commands import lock_payment
from api.payments.parts import Parts
from api.payments.statements import request_refund


@dataclass(frozen=True, slots=True)
class _Decision:
    """`return_id` None: all returns of the oldest request that is open."""

    approve: bool
    reason: str | None
    return_id: UUID | None = None
    fee: Decimal = ZERO
    restock: bool | None = None


@dataclass(frozen=True, slots=True)
class _Approved:
    """What an approval writes, and the amount that goes back."""

    parts: list[Part]
    events: list[Event]
    amount: Decimal


async def decide_return(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, request: DecideReturn) -> Response:
    """Approve or refuse what was asked for first, by the seller of its lines or an administrator.

    Raises: OrderNotFound, Forbidden, ImpossibleMove when no return of theirs is open.
    """
    return await _decided(ctx, actor, key, order_id, _Decision(request.approve, request.reason))


async def approve_return(
    ctx: Context, actor: Actor, key: RequestKey, place: tuple[UUID, UUID], request: ApproveReturn
) -> Response:
    """Approve one return, `place` (order, return): its refund is requested, its units are restocked or written off.

    Raises: OrderNotFound, Forbidden, ReturnNotFound, ReturnDecided, FeeTooHigh.
    """
    order_id, return_id = place
    decision = _Decision(
        approve=True, reason=request.comment, return_id=return_id, fee=request.fee, restock=request.restock
    )
    return await _decided(ctx, actor, key, order_id, decision)


async def reject_return(
    ctx: Context, actor: Actor, key: RequestKey, place: tuple[UUID, UUID], request: RejectReturn
) -> Response:
    """Refuse one return, `place` (order, return). Raises: OrderNotFound, Forbidden, ReturnNotFound, ReturnDecided."""
    order_id, return_id = place
    decision = _Decision(approve=False, reason=request.reason, return_id=return_id)
    return await _decided(ctx, actor, key, order_id, decision)


async def _decided(ctx: Context, actor: Actor, key: RequestKey, order_id: UUID, decision: _Decision) -> Response:
    answer = await change_order(ctx, key, lambda tx: _decide(tx, actor, order_id, decision))
    await settle_refunds(ctx, order_id)
    return answer


async def _decide(tx: Tx, actor: Actor, order_id: UUID, decision: _Decision) -> OrderState:
    order = await lock_to_decide(tx, actor, order_id)
    if not order.is_seller and actor.kind != "admin":
        raise Forbidden("Only the seller of the line, or an administrator, may do this.")
    open_returns = await requested_returns_of(tx, order)
    chosen = await _chosen(tx, actor, order, open_returns, decision)
    verdict = "approved" if decision.approve else "rejected"
    # A part that comes back writes no step of the order's history: the event alone keeps the reason.
    events = [return_event(row.return_id, order_id, verdict, decision.reason) for row in chosen]
    amount = None
    if decision.approve:
        approved = await _approve(tx, order, chosen, decision)
        parts, amount = approved.parts, approved.amount
        events += approved.events
    else:
        parts = [decide_part([DecidedReturn(row.return_id) for row in chosen], "requested", verdict)]
    status = order.status
    if status == "return_requested" and len(chosen) == len(open_returns):
        status = await _after(tx, order, chosen, decision)
        move = Step(order_id, order.status, status, actor.kind, decision.reason and decision.reason[:200])
        parts.append(move_part(move))
        events.append(move.event())
    await write(tx, parts, events)
    if status == "return_approved" and not amount and not await awaits_refunds(tx, order):
        status = await _end(tx, order, actor)
    return OrderState(order_id=order_id, status=status, payment_status=order.payment_status, refund_amount=amount)


async def _end(tx: Tx, order: LockedOrder, actor: Actor) -> str:
    """The last step of an order whose returns are all settled: no refund will take it."""
    end = Step(order.order_id, "return_approved", "refunded", actor.kind)
    await write(tx, [move_part(end)], [end.event()])
    return end.after


async def _chosen(
    tx: Tx, actor: Actor, order: LockedOrder, open_returns: Sequence[RequestedReturn], decision: _Decision
) -> list[RequestedReturn]:
    """The returns to decide, of the seller's own lines. Raises: ImpossibleMove, ReturnNotFound, ReturnDecided."""
    mine = [row for row in open_returns if actor.kind == "admin" or row.seller_id == actor.user_id]
    if decision.return_id is None:
        if not mine:
            raise impossible(order.status, "return_approved" if decision.approve else "delivered")
        return [row for row in mine if row.created_at == mine[0].created_at]
    chosen = [row for row in mine if row.return_id == decision.return_id]
    if not chosen:
        status = await status_of_return(tx, actor, order, decision.return_id)
        if status is None:
            raise ReturnNotFound
        raise ReturnDecided(f"It is {status}; a return is decided once.", extra={"returnStatus": status})
    return chosen


async def _after(tx: Tx, order: LockedOrder, chosen: Sequence[RequestedReturn], decision: _Decision) -> str:
    """The order's state once its last open return is decided: whether every unit is on its way back."""
    lines = await lines_of(tx, order)
    back = sum(line.returned for line in lines) - (0 if decision.approve else sum(row.quantity for row in chosen))
    return "return_approved" if back == sum(line.quantity for line in lines) else "delivered"


async def _approve(tx: Tx, order: LockedOrder, chosen: Sequence[RequestedReturn], decision: _Decision) -> _Approved:
    payment = await lock_payment(tx, order.order_id)
    if payment is None:
        raise AssertionError("a delivered order has a payment")
    restocked = {row.return_id: _is_restocked(row, decision) for row in chosen}
    _check_fee(chosen, decision.fee)
    refunded = sum((row.parts for row in chosen), Parts(goods=-decision.fee)).at_most(payment.refundable)
    refund = request_refund(payment, order.order_id, refunded)
    labelled = {row.return_id for row in chosen if has_label(row.reason_code) and not row.digital}
    decided = [
        DecidedReturn(row.return_id, restocked[row.return_id], decision.fee, label=row.return_id in labelled)
        for row in chosen
    ]
    # What gives nothing back is settled by its approval: no refund will come for it.
    paid = decide_part(decided, "requested", "approved", refund.refund_id)
    parts = [paid, *refund.parts] if refund.parts else [decide_part(decided, "requested", "refunded")]
    sound = [(row.variant_id, row.warehouse_id, row.quantity) for row in chosen if restocked[row.return_id]]
    if sound:
        parts.append(stock.restock(chosen[0].return_id, sound, cancels_order=False))
    return _Approved(parts, refund.events, refunded.amount)


def _is_restocked(row: RequestedReturn, decision: _Decision) -> bool:
    """Whatever is decided, what somebody has seen is not sold again."""
    if row.digital:
        return False
    return POLICIES[row.reason_code].restock if decision.restock is None else decision.restock


def _check_fee(chosen: Sequence[RequestedReturn], fee: Decimal) -> None:
    """Raises: FeeTooHigh. A fee is of one return; it never takes all of a refund."""
    most = sum((to_cents(row.goods * POLICIES[row.reason_code].most_fee) for row in chosen), ZERO)
    if fee > most:
        error = FieldError(pointer="/fee", message=f"at most {most} for this reason")
        raise FeeTooHigh("Lower the fee to what the refund policy allows for the return's reason.", errors=[error])
