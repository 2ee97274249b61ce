"""Drives an edit that is paid for from point to point, as `saga/driver.py` a checkout: by the same table."""

from api.checkout.edits.lease import LeasedEdit
from api.checkout.edits.steps import take
from api.checkout.errors import OutOfStock, PaymentUnavailable
from api.checkout.saga import charging
from api.checkout.saga.charging import Charge, Words
from api.checkout.saga.driver import Decided, LostLease, run_on
from api.checkout.saga.lease import lease_seconds
from api.checkout.saga.steps import TaskOutcome
from api.checkout.saga.transitions import TASK, Outcome, Task, step
from api.kernel.context import Context
from api.orders.edits.statements import payment_key
from api.payments.gateways.registry import gateway_named

_AFTER_COMMIT = {"confirmed": "checkout.edit_after_confirm", "completed": "checkout.edit_after_complete"}
NOTHING = "nothing was changed or charged"
_WORDS = Words("checkout.edit_", "edit", "Stage the edit again and use another payment method", NOTHING)


async def drive(ctx: Context, edit: LeasedEdit, *, inline: bool) -> tuple[LeasedEdit, Decided]:
    """Run the edit on, as a checkout (`run_on`). Raises: LostLease."""
    late = edit.age > ctx.settings.checkout_deadline_seconds

    async def task(at: LeasedEdit) -> TaskOutcome:
        return await _run_task(ctx, at, late=late)

    async def commit_outcome(at: LeasedEdit, found: TaskOutcome) -> tuple[LeasedEdit, Decided]:
        return await _commit(ctx, at, found, inline=inline)

    return await run_on(edit, task, commit_outcome, _AFTER_COMMIT, inline=inline)


async def _run_task(ctx: Context, edit: LeasedEdit, *, late: bool) -> TaskOutcome:
    task = TASK[edit.point]
    if late and task is Task.AUTHORISE:
        return TaskOutcome(Outcome.LATE, failure=PaymentUnavailable(f"The edit took too long; {NOTHING}."))
    key = payment_key(edit.edit_id)
    charge = Charge(key, edit.amount, edit.plan.currency, edit.payment_token, edit.edit_id)
    return await charging.run(task, lambda: gateway_named(ctx, edit.gateway), charge, _WORDS)


async def _commit(ctx: Context, edit: LeasedEdit, found: TaskOutcome, *, inline: bool) -> tuple[LeasedEdit, Decided]:
    """Commit the outcome, or that the reservation has run out. Raises: LostLease."""
    for outcome in (found, TaskOutcome(Outcome.STOCK_LOST, failure=OutOfStock(f"The reservation ran out; {NOTHING}."))):
        move = step(edit.point, outcome.outcome)
        seconds = lease_seconds(edit, move, ctx.settings.checkout_lease_seconds, inline=inline)
        taken = await take(ctx, edit, outcome, move, seconds)
        if taken is not None:
            return edit.at(move.point), taken.answer or outcome.failure
    raise LostLease(str(edit.edit_id))
