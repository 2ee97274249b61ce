"""Drives one checkout from point to point: run the task, commit its outcome with the next point, repeat.

No transaction is open during a gateway call. Every commit is one statement whose gate checks the lease and the current
point, so a driver whose lease expired or was taken over changes nothing and stops.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from api.carts.commands import empty_cart
from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable
from api.checkout.quote import make_plan
from api.checkout.saga.lease import LeasedCheckout, lease_seconds
from api.checkout.saga.steps import StepStatement, TaskOutcome, prepare
from api.checkout.saga.transitions import TASK, TERMINAL, Outcome, Task, Transition, step
from api.checkout.statements import MOVED, NO_CHECK, gate_part
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import RETRYABLE, Tx, sqlstate
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored
from api.kernel.logs import get_logger
from api.kernel.statement import compose
from api.payments.gateways.interface import Authorised, Gateway, GatewayRefused, Unreachable, gateway_key
from api.payments.gateways.registry import gateway_named

log = get_logger(__name__)

PLAN_ATTEMPTS = 5
# Passed before the task, after the gateway answered, and after the commit.
_BEFORE = {"started": "checkout.before_reserve"}
_AFTER_COMMIT = {
    "reserved": "checkout.after_reserve",
    "created": "checkout.after_create",
    "authorised": "checkout.after_authorised_commit",
    "confirmed": "checkout.after_confirm",
    "captured": "checkout.after_captured_commit",
}


class LostLease(Exception):
    """Another process drives this checkout now."""


class _StockChanged(Exception):
    """The stock changed between the check and the reservation."""


@dataclass(frozen=True, slots=True)
class _Commit:
    """One commit of a checkout: the next point, the task's outcome, and the parts that are written."""

    move: Transition
    found: TaskOutcome
    statement: StepStatement
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class _Moved:
    """The result of the composed statement: rows of the gate, and whether the check before it passed."""

    moved: int
    ok: bool


async def drive(
    ctx: Context, checkout: LeasedCheckout, *, inline: bool
) -> tuple[LeasedCheckout, Stored | Problem | None]:
    """Run tasks until the checkout is finished or has to wait.

    Returns its point and, once decided, the answer: stored bytes, or a problem that is not stored. With `inline`, the
    worker makes the compensation's gateway call, so that the buyer does not wait for it. Raises: LostLease.
    """
    answer: Stored | Problem | None = None
    late = checkout.age > ctx.settings.checkout_deadline_seconds
    while checkout.point not in TERMINAL:
        if inline and checkout.point == "compensating":
            return checkout, answer
        if checkout.point in _BEFORE:
            failpoints.hit(_BEFORE[checkout.point])
        found = await _run_task(ctx, checkout, late=late)
        commit = await _commit(ctx, checkout, found, inline=inline)
        answer = commit.statement.answer or commit.found.failure or answer
        stuck = commit.move.point == checkout.point
        checkout = checkout.at(commit.move.point, commit.found.plan)
        if stuck:
            return checkout, answer
        if checkout.point in _AFTER_COMMIT:
            failpoints.hit(_AFTER_COMMIT[checkout.point])
    return checkout, answer


async def _run_task(ctx: Context, checkout: LeasedCheckout, *, late: bool) -> TaskOutcome:
    """Run the task of the current point.

    `late`: the checkout is too old to begin a step that would have to be compensated.
    """
    task = TASK[checkout.point]
    if late and checkout.point in {"started", "reserved", "created"}:
        expired = PaymentUnavailable("The order could not be completed in time; nothing was charged.")
        return TaskOutcome(Outcome.LATE, failure=expired)
    if task is Task.PLAN:
        try:
            return TaskOutcome(Outcome.PLANNED, plan=await make_plan(ctx, checkout))
        except Problem as problem:
            return TaskOutcome(Outcome.REFUSED, failure=problem)
    if task in {Task.PROCEED, Task.CONFIRM}:
        return TaskOutcome(Outcome.READY)
    try:
        gateway = gateway_named(ctx, checkout.settled_plan.gateway)
        if task is Task.AUTHORISE:
            return await _authorise(gateway, checkout)
        return await _capture(gateway, checkout) if task is Task.CAPTURE else await _void(gateway, checkout)
    except Unreachable as error:
        log.warning(
            "the gateway does not answer", checkout=str(checkout.checkout_id), point=checkout.point, reason=str(error)
        )
        gone = PaymentUnavailable("The payment provider does not answer just now; nothing was charged.", retry_after=5)
        return TaskOutcome(Outcome.UNREACHABLE, failure=gone if task is Task.AUTHORISE else None)


async def _authorise(gateway: Gateway, checkout: LeasedCheckout) -> TaskOutcome:
    key, plan, token = gateway_key(checkout.checkout_id), checkout.settled_plan, checkout.request.payment_method.token
    failpoints.hit("checkout.before_authorise")
    try:
        answer = await gateway.authorise(key, plan.total, plan.currency, token, reference=str(checkout.checkout_id))
    except GatewayRefused as error:
        raise Unreachable(f"the gateway refused us: {error.code}") from error
    failpoints.hit("checkout.after_authorise")
    if isinstance(answer, Authorised):
        return TaskOutcome(Outcome.AUTHORISED, reference=answer.reference)
    reason = {"reason": answer.reason}
    declined = PaymentDeclined("Use another payment method; nothing was charged.", extra=reason)
    return TaskOutcome(Outcome.DECLINED, failure=declined)


async def _capture(gateway: Gateway, checkout: LeasedCheckout) -> TaskOutcome:
    failpoints.hit("checkout.before_capture")
    try:
        reference = await gateway.capture(gateway_key(checkout.checkout_id), checkout.settled_plan.total)
    except GatewayRefused as error:
        message, reason = "The authorised payment could not be taken; nothing was charged.", {"reason": error.code}
        return TaskOutcome(Outcome.REFUSED, failure=PaymentDeclined(message, extra=reason))
    failpoints.hit("checkout.after_capture")
    return TaskOutcome(Outcome.CAPTURED, reference=reference)


async def _void(gateway: Gateway, checkout: LeasedCheckout) -> TaskOutcome:
    failpoints.hit("checkout.before_compensate")
    try:
        reference = await gateway.void(gateway_key(checkout.checkout_id))
    except GatewayRefused as error:
        log.error("a void was refused, it will be tried again", checkout=str(checkout.checkout_id), reason=error.code)  # noqa: TRY400 - the code says it all
        return TaskOutcome(Outcome.UNREACHABLE)
    failpoints.hit("checkout.after_void")
    return TaskOutcome(Outcome.VOIDED, reference=reference)


async def _commit(ctx: Context, checkout: LeasedCheckout, found: TaskOutcome, *, inline: bool) -> _Commit:
    """Commit the outcome, or another one if the stock was sold in between. Raises: LostLease."""
    for _ in range(PLAN_ATTEMPTS):
        commit = _prepared(ctx, checkout, found, inline=inline)
        try:
            await _write(ctx, checkout, commit)
        except _StockChanged:
            if found.outcome is Outcome.PLANNED:
                found = await _run_task(ctx, checkout, late=False)
            else:
                lost = OutOfStock("The reservation ran out before the payment; nothing was charged.")
                found = TaskOutcome(Outcome.STOCK_LOST, failure=lost)
        else:
            return commit
    crowded = OutOfStock("Others are buying the last units right now; look again in a moment.")
    commit = _prepared(ctx, checkout, TaskOutcome(Outcome.REFUSED, failure=crowded), inline=inline)
    await _write(ctx, checkout, commit)
    return commit


def _prepared(ctx: Context, checkout: LeasedCheckout, found: TaskOutcome, *, inline: bool) -> _Commit:
    move = step(checkout.point, found.outcome)
    statement = prepare(checkout, move.writes, found, reservation_seconds=ctx.settings.reservation_seconds)
    seconds = lease_seconds(checkout, move, ctx.settings.checkout_lease_seconds, inline=inline)
    return _Commit(move, found, statement, seconds)


async def _write(ctx: Context, checkout: LeasedCheckout, commit: _Commit) -> None:
    """Execute the composed statement. Raises: LostLease; _StockChanged when a check before the gate failed."""
    checks, found = commit.statement.checks, commit.found
    gate = gate_part(
        checkout_id=checkout.checkout_id,
        token=checkout.token,
        before=checkout.point,
        after=commit.move.point,
        lease_seconds=commit.lease_seconds,
        plan=found.plan,
        failure=found.failure,
    )
    statement, values = compose([*(checks or [NO_CHECK]), gate, *commit.statement.all_parts()], MOVED)
    empties_cart = commit.move.point == "completed" and checkout.settled_plan.from_cart

    async def work(tx: Tx) -> None:
        row = await tx.first_as(_Moved, statement, values)
        if row is not None and not row.ok:
            raise _StockChanged
        if row is None or not row.moved:
            raise LostLease(str(checkout.checkout_id))
        if empties_cart:
            await empty_cart(tx, checkout.actor)

    if checkout.point == "started" and checks and ctx.settings.checkout_isolation == "SERIALIZABLE":
        await _serializable_first(ctx, work)
    elif empties_cart:
        await ctx.db.run(work)
    else:
        await ctx.db.run_alone(work)


async def _serializable_first(ctx: Context, work: Callable[[Tx], Awaitable[None]]) -> None:
    """Run at SERIALIZABLE, which the design requires for placing an order, and under contention at READ COMMITTED,
    where the statement's own guards are sufficient."""
    try:
        await ctx.db.run(work, "SERIALIZABLE")
    except DBAPIError as error:
        if sqlstate(error) not in RETRYABLE:
            raise
        await ctx.db.run(work)
