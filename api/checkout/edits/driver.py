"""Drives an edit that is paid for from point to point, as `saga/driver.py` a checkout: by the same table."""

from api.checkout.edits.lease import LeasedEdit
from api.checkout.edits.steps import take
from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable
from api.checkout.saga.driver import LostLease
from api.checkout.saga.lease import MAX_BACKOFF_SECONDS
from api.checkout.saga.steps import TaskOutcome
from api.checkout.saga.transitions import TASK, TERMINAL, Outcome, Task, Transition, step
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored
from api.kernel.logs import get_logger
from api.orders.edits.statements import payment_key
from api.payments.gateways.interface import Authorised, Gateway, GatewayRefused, Unreachable
from api.payments.gateways.registry import gateway_named

log = get_logger(__name__)

_AFTER_COMMIT = {"confirmed": "checkout.edit_after_confirm", "completed": "checkout.edit_after_complete"}
NOTHING = "nothing was changed or charged"


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
    try:
        gateway = gateway_named(ctx, edit.gateway)
        if task is Task.AUTHORISE:
            return await _authorise(gateway, edit)
        return await _capture(gateway, edit) if task is Task.CAPTURE else await _void(gateway, edit)
    except Unreachable as error:
        log.warning("the gateway does not answer", edit=str(edit.edit_id), point=edit.point, reason=str(error))
        gone = PaymentUnavailable(f"The payment provider does not answer just now; {NOTHING}.", retry_after=5)
        return TaskOutcome(Outcome.UNREACHABLE, failure=gone if task is Task.AUTHORISE else None)


async def _authorise(gateway: Gateway, edit: LeasedEdit) -> TaskOutcome:
    failpoints.hit("checkout.edit_before_authorise")
    try:
        answer = await gateway.authorise(
            payment_key(edit.edit_id), edit.amount, edit.plan.currency, edit.payment_token, reference=str(edit.edit_id)
        )
    except GatewayRefused as error:
        raise Unreachable(f"the gateway refused us: {error.code}") from error
    failpoints.hit("checkout.edit_after_authorise")
    if isinstance(answer, Authorised):
        return TaskOutcome(Outcome.AUTHORISED, reference=answer.reference)
    reason = {"reason": answer.reason}
    declined = PaymentDeclined(f"Stage the edit again and use another payment method; {NOTHING}.", extra=reason)
    return TaskOutcome(Outcome.DECLINED, failure=declined)


async def _capture(gateway: Gateway, edit: LeasedEdit) -> TaskOutcome:
    failpoints.hit("checkout.edit_before_capture")
    try:
        reference = await gateway.capture(payment_key(edit.edit_id), edit.amount)
    except GatewayRefused as error:
        message, reason = f"The authorised payment could not be taken; {NOTHING}.", {"reason": error.code}
        return TaskOutcome(Outcome.REFUSED, failure=PaymentDeclined(message, extra=reason))
    failpoints.hit("checkout.edit_after_capture")
    return TaskOutcome(Outcome.CAPTURED, reference=reference)


async def _void(gateway: Gateway, edit: LeasedEdit) -> TaskOutcome:
    failpoints.hit("checkout.edit_before_compensate")
    try:
        reference = await gateway.void(payment_key(edit.edit_id))
    except GatewayRefused as error:
        log.error("a void was refused, it will be tried again", edit=str(edit.edit_id), reason=error.code)  # noqa: TRY400 - the code says it all
        return TaskOutcome(Outcome.UNREACHABLE)
    failpoints.hit("checkout.edit_after_void")
    return TaskOutcome(Outcome.VOIDED, reference=reference)


async def _commit(
    ctx: Context, edit: LeasedEdit, found: TaskOutcome, *, inline: bool
) -> tuple[LeasedEdit, Stored | Problem | None]:
    """Commit the outcome, or that the reservation has run out. Raises: LostLease."""
    for outcome in (found, TaskOutcome(Outcome.STOCK_LOST, failure=OutOfStock(f"The reservation ran out; {NOTHING}."))):
        move = step(edit.point, outcome.outcome)
        taken = await take(ctx, edit, outcome, move, _lease(ctx, edit, move, inline=inline))
        if taken is not None:
            return edit.at(move.point), taken.answer or outcome.failure
    raise LostLease(str(edit.edit_id))


def _lease(ctx: Context, edit: LeasedEdit, move: Transition, *, inline: bool) -> float:
    """As of a checkout: longer and longer while the gateway is silent, and none for what the worker does."""
    if move.point == edit.point:
        return min(MAX_BACKOFF_SECONDS, 0.5 * (1 << min(edit.attempts, 6)))
    return 0.0 if inline and move.point == "compensating" else float(ctx.settings.checkout_lease_seconds)
