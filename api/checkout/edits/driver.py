"""Drives an edit that is paid for from point to point, as `saga/driver.py` a checkout: by the same table."""

from api.checkout.edits.lease import LeasedEdit
from api.checkout.edits.steps import take
from api.checkout.errors import OutOfStock, PaymentUnavailable
from api.checkout.saga import charging
from api.checkout.saga.charging import Charge, Words
from api.checkout.saga.driver import LostLease
from api.checkout.saga.lease import lease_seconds
from api.checkout.saga.steps import TaskOutcome
from api.checkout.saga.transitions import TASK, TERMINAL, Outcome, Task, step
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored
from api.orders.edits.statements import payment_key
from api.payments.gateways.registry import gateway_named

_AFTER_COMMIT = {"confirmed": "checkout.edit_after_confirm", "completed": "checkout.edit_after_complete"}
NOTHING = "nothing was changed or charged"
_WORDS = Words("checkout.edit_", "edit", "Stage the edit again and use another payment method", NOTHING)


async def drive(ctx: Context, edit: LeasedEdit, *, inline: bool) -> tuple[LeasedEdit, Stored | Problem | None]:
    """Run tasks until the edit is over or has to wait; its point and, once decided, the answer. With `inline` the
    worker makes the compensation's call. Raises: LostLease."""
    answer: Stored | Problem | None = None
    late = edit.age > ctx.settings.checkout_deadline_seconds
    while edit.point not in TERMINAL:
        if inline and edit.point == "compensating":
            return edit, answer
        before = edit.point
        found = await _run_task(ctx, edit, late=late)
        edit, decided = await _commit(ctx, edit, found, inline=inline)
        answer = decided or answer
        if edit.point == before:
            return edit, answer
        if edit.point in _AFTER_COMMIT:
            failpoints.hit(_AFTER_COMMIT[edit.point])
    return edit, answer


async def _run_task(ctx: Context, edit: LeasedEdit, *, late: bool) -> TaskOutcome:
    task = TASK[edit.point]
    if late and task is Task.AUTHORISE:
        return TaskOutcome(Outcome.LATE, failure=PaymentUnavailable(f"The edit took too long; {NOTHING}."))
    key = payment_key(edit.edit_id)
    charge = Charge(key, edit.amount, edit.plan.currency, edit.payment_token, edit.edit_id)
    return await charging.run(task, lambda: gateway_named(ctx, edit.gateway), charge, _WORDS)


async def _commit(
    ctx: Context, edit: LeasedEdit, found: TaskOutcome, *, inline: bool
) -> tuple[LeasedEdit, Stored | Problem | None]:
    """Commit the outcome, or that the reservation has run out. Raises: LostLease."""
    for outcome in (found, TaskOutcome(Outcome.STOCK_LOST, failure=OutOfStock(f"The reservation ran out; {NOTHING}."))):
        move = step(edit.point, outcome.outcome)
        seconds = lease_seconds(edit, move, ctx.settings.checkout_lease_seconds, inline=inline)
        taken = await take(ctx, edit, outcome, move, seconds)
        if taken is not None:
            return edit.at(move.point), taken.answer or outcome.failure
    raise LostLease(str(edit.edit_id))
