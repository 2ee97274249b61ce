"""The commits of an edit that is paid for, one for each outcome, by the table of transitions of a checkout.

`created`: stock held, payment pending, the order left to nobody else. `confirmed`: authorised, units sold.
`completed`: captured, and only now the order is changed. So every other end leaves the order as it was.
"""

from dataclasses import dataclass

import orjson

from api.checkout.edits.changing import changed, complete
from api.checkout.edits.lease import LeasedEdit
from api.checkout.saga.driver import LostLease
from api.checkout.saga.steps import TaskOutcome, refusal
from api.checkout.saga.transitions import Outcome, Transition
from api.inventory import statements as stock
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.idempotency import Answer, Stored, finish_part, forget_part
from api.kernel.outbox import Event, events_part
from api.kernel.statement import Part, compose
from api.orders.edits.statements import FREE, MOVED, EditMove, gate_part, no_check
from api.payments.statements import PaymentMove, move_part, moved_event


@dataclass(frozen=True, slots=True)
class _Row:
    feasible: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was committed, and the answer that it stored."""

    answer: Stored | None


async def take(
    ctx: Context, edit: LeasedEdit, found: TaskOutcome, move: Transition, lease_seconds: float
) -> Taken | None:
    """Commit the outcome with the next point; None when the edit's stock was lost meanwhile. Raises: LostLease."""
    kept = None if found.failure is None else {"code": found.failure.code, "detail": found.failure.detail}
    failure = None if kept is None else orjson.dumps(kept).decode()
    step = EditMove(edit.edit_id, edit.token, edit.point, move.point, lease_seconds, failure)
    if found.outcome is Outcome.CAPTURED:
        return Taken(await ctx.db.run(lambda tx: _complete(tx, edit, step, found)))
    check, parts, events, answer = _writes(edit, found)
    after = [*parts, events_part(events)] if events else parts
    statement, values = compose([check, gate_part(step), *after], MOVED)
    row = await ctx.db.run_alone(lambda tx: tx.first_as(_Row, statement, values))
    if row is not None and row.moved:
        return Taken(answer)
    if row is not None and not row.feasible:
        return None
    raise LostLease(str(edit.edit_id))


async def _complete(tx: Tx, edit: LeasedEdit, step: EditMove, found: TaskOutcome) -> Stored:
    """Change the order in the transaction that records the capture. Raises: LostLease."""
    order = await changed(tx, edit)
    row = await tx.first_as(_Row, *compose([no_check(edit.edit_id), gate_part(step)], MOVED))
    if row is None or not row.moved:
        raise LostLease(str(edit.edit_id))
    payment = _payment(edit, found)
    parts, events = [move_part([payment], ["authorised"], "captured")], [moved_event(payment, "captured")]
    return await complete(tx, order, edit, parts, events)


def _writes(edit: LeasedEdit, found: TaskOutcome) -> tuple[Part, list[Part], list[Event], Stored | None]:
    """What is checked before the gate, what is written behind it, and the answer. An edit without new units has no
    reservations."""
    open_check, held = no_check(edit.edit_id), edit.plan.bought
    if found.outcome is Outcome.UNREACHABLE and edit.point != "created":
        return open_check, [], [], None
    payment = _payment(edit, found)
    if found.outcome is Outcome.AUTHORISED:
        paid = [move_part([payment], ["pending"], "authorised")]
        check = stock.confirm_check({edit.edit_id: len(held)})
        sold = [stock.confirm()]
        return check, [*paid, *sold], [moved_event(payment, "authorised"), _told(edit, "StockConfirmed")], None
    if found.outcome is Outcome.VOIDED:
        before = ["pending", "authorised"]
        return open_check, [move_part([payment], before, "voided")], [moved_event(payment, "voided")], None
    answer, answered = _refusal(edit, found)
    parts, events = [FREE, answered], []
    if edit.point == "confirmed":
        sold_units = [(line.variant_id, line.warehouse_id, line.quantity) for line in held]
        if sold_units:
            parts.append(stock.restock(edit.edit_id, sold_units, cancels_order=False))
            events.append(_told(edit, "StockReturned"))
    else:
        parts.append(stock.release(edit.edit_id))
        events.append(_told(edit, "StockReleased"))
    if found.outcome is Outcome.DECLINED:
        parts.append(move_part([payment], ["pending"], "declined"))
        events.append(moved_event(payment, "declined"))
    return open_check, parts, events, answer


def _refusal(edit: LeasedEdit, found: TaskOutcome) -> tuple[Stored | None, Part]:
    """The answer of an edit that ends without a change, stored with its key; without one the key is free again."""
    stored = None if found.failure is None else refusal(found.failure)
    if stored is None:
        return None, forget_part(edit.actor.key, edit.key)
    return stored, finish_part([Answer(edit.actor.key, edit.key, stored, edit.edit_id)])


def _payment(edit: LeasedEdit, found: TaskOutcome) -> PaymentMove:
    return PaymentMove(
        checkout_id=edit.edit_id,
        payment_id=edit.payment_id,
        order_id=edit.order_id,
        amount=edit.amount,
        currency=edit.plan.currency,
        reference=found.reference,
    )


def _told(edit: LeasedEdit, event_type: str) -> Event:
    payload = {"checkoutId": edit.edit_id, "orderId": edit.order_id}
    return Event("checkout", edit.edit_id, event_type, payload, edit.edit_id)
