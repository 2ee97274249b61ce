"""Drives one checkout from point to point: do the task, commit its outcome with the next point, go on.

No transaction is open while the gateway is asked. Every commit is one statement whose gate names the lease and the
current point, so a driver that slept past its lease, or was replaced, changes nothing and stops.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from api.carts.commands import empty_cart
from api.checkout.errors import OutOfStock, PaymentDeclined, PaymentUnavailable
from api.checkout.quote import make_plan
from api.checkout.record import NO_CHECK, Running, gate_part, settled_plan
from api.checkout.recovery import TERMINAL
from api.checkout.saga import TASK, Event, Task, Transition, step
from api.checkout.writes import Batch, Facts, prepare
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.db import RETRYABLE, Tx, sqlstate
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored
from api.kernel.logs import get_logger
from api.kernel.statement import compose
from api.payments.gateways.interface import Authorised, GatewayRefused, Unreachable, gateway_key
from api.payments.gateways.registry import gateway_named

log = get_logger(__name__)

PLAN_ATTEMPTS = 5
MAX_BACKOFF_SECONDS = 15.0
# Passed before the task, after the gateway answered, and after the commit.
_BEFORE = {"started": "checkout.before_reserve"}
_AFTER_COMMIT = {
    "reserved": "checkout.after_reserve",
    "created": "checkout.after_create",
    "authorised": "checkout.after_authorised_commit",
    "confirmed": "checkout.after_confirm",
    "captured": "checkout.after_captured_commit",
}
_MOVED = "(SELECT count(*) FROM gate) AS moved, (SELECT ok FROM feasible) AS ok"


class LostLease(Exception):
    """Another process drives this checkout now."""


@dataclass(frozen=True, slots=True)
class Change:
    """One commit: where to, what is written, what was found out, and how long the lease lasts from then."""

    move: Transition
    batch: Batch
    facts: Facts
    lease_seconds: float


class _Stale(Exception):
    """The stock changed between looking and taking."""


async def drive(ctx: Context, running: Running, *, inline: bool) -> tuple[Running, Stored | Problem | None]:
    """Go on until the checkout is finished or cannot go on now.

    Returns where it stands and, once decided, the answer: stored bytes, or a problem that is not stored. With `inline`,
    the compensation's gateway call is left to the worker, so that the buyer does not wait for it. Raises: LostLease.
    """
    answer: Stored | Problem | None = None
    late = running.age > ctx.settings.checkout_deadline_seconds
    while running.point not in TERMINAL:
        if inline and running.point == "compensating":
            return running, answer
        if running.point in _BEFORE:
            failpoints.hit(_BEFORE[running.point])
        event, facts = await _do(ctx, running, late=late)
        move, batch, facts = await _commit(ctx, running, event, facts, inline=inline)
        if batch.answer is not None or facts.failure is not None:
            answer = batch.answer or facts.failure
        stuck = move.point == running.point
        running = running.at(move.point, facts.plan)
        if stuck:
            return running, answer
        if move.point in _AFTER_COMMIT:
            failpoints.hit(_AFTER_COMMIT[move.point])
    return running, answer


async def _do(ctx: Context, running: Running, *, late: bool) -> tuple[Event, Facts]:
    """The task of the current point. `late`: too old to begin anything that would have to be undone."""
    task = TASK[running.point]
    if late and running.point in {"started", "reserved", "created"}:
        return Event.LATE, Facts(
            failure=PaymentUnavailable("The order could not be completed in time; nothing was charged.")
        )
    if task is Task.PLAN:
        try:
            return Event.PLANNED, Facts(plan=await make_plan(ctx, running))
        except Problem as problem:
            return Event.REFUSED, Facts(failure=problem)
    if task in {Task.PROCEED, Task.CONFIRM}:
        return Event.READY, Facts()
    try:
        return await _ask_gateway(ctx, running, task)
    except Unreachable as error:
        log.warning(
            "the gateway does not answer", checkout=str(running.checkout_id), point=running.point, reason=str(error)
        )
        gone = PaymentUnavailable("The payment provider does not answer just now; nothing was charged.", retry_after=5)
        return Event.UNREACHABLE, Facts(failure=gone if task is Task.AUTHORISE else None)


async def _ask_gateway(ctx: Context, running: Running, task: Task) -> tuple[Event, Facts]:
    key, plan = gateway_key(running.checkout_id), settled_plan(running)
    gateway = gateway_named(ctx, plan.gateway)
    if task is Task.AUTHORISE:
        failpoints.hit("checkout.before_authorise")
        try:
            outcome = await gateway.authorise(
                key, plan.total, plan.currency, running.request.payment_method.token, reference=str(running.checkout_id)
            )
        except GatewayRefused as error:
            raise Unreachable(f"the gateway refused us: {error.code}") from error
        failpoints.hit("checkout.after_authorise")
        if isinstance(outcome, Authorised):
            return Event.AUTHORISED, Facts(reference=outcome.reference)
        reason = {"reason": outcome.reason}
        return Event.DECLINED, Facts(
            failure=PaymentDeclined("Use another payment method; nothing was charged.", extra=reason)
        )
    if task is Task.CAPTURE:
        failpoints.hit("checkout.before_capture")
        try:
            reference = await gateway.capture(key, plan.total)
        except GatewayRefused as error:
            declined = PaymentDeclined(
                "The authorised payment could not be taken; nothing was charged.", extra={"reason": error.code}
            )
            return Event.REFUSED, Facts(failure=declined)
        failpoints.hit("checkout.after_capture")
        return Event.CAPTURED, Facts(reference=reference)
    failpoints.hit("checkout.before_compensate")
    try:
        reference = await gateway.void(key)
    except GatewayRefused as error:
        log.error("a void was refused, it will be tried again", checkout=str(running.checkout_id), reason=error.code)  # noqa: TRY400 - the code says it all
        return Event.UNREACHABLE, Facts()
    failpoints.hit("checkout.after_void")
    return Event.VOIDED, Facts(reference=reference)


async def _commit(
    ctx: Context, running: Running, event: Event, facts: Facts, *, inline: bool
) -> tuple[Transition, Batch, Facts]:
    """Commit the outcome; stock that is gone meanwhile turns it into another one. Raises: LostLease."""
    for _ in range(PLAN_ATTEMPTS):
        move = step(running.point, event)
        batch = prepare(ctx, running, move.writes, facts)
        try:
            await _write(ctx, running, Change(move, batch, facts, _lease(ctx, running, move, inline=inline)))
            return move, batch, facts
        except _Stale:
            if event is Event.PLANNED:
                event, facts = await _do(ctx, running, late=False)
            else:
                event, facts = (
                    Event.STOCK_LOST,
                    Facts(failure=OutOfStock("The reservation ran out before the payment; nothing was charged.")),
                )
    crowded = OutOfStock("Others are buying the last units right now; look again in a moment.")
    move, facts = step(running.point, Event.REFUSED), Facts(failure=crowded)
    batch = prepare(ctx, running, move.writes, facts)
    await _write(ctx, running, Change(move, batch, facts, _lease(ctx, running, move, inline=inline)))
    return move, batch, facts


async def _write(ctx: Context, running: Running, change: Change) -> None:
    """The one statement. Raises: LostLease; _Stale when a check before the gate failed."""
    batch, facts = change.batch, change.facts
    gate = gate_part(running, change.move.point, change.lease_seconds, plan=facts.plan, failure=facts.failure)
    statement, values = compose([*(batch.checks or [NO_CHECK]), gate, *batch.all_parts()], _MOVED)
    empties_cart = change.move.point == "completed" and settled_plan(running).from_cart

    async def work(tx: Tx) -> None:
        row = await tx.first(statement, values)
        if row is not None and not row.ok:
            raise _Stale
        if row is None or not row.moved:
            raise LostLease(str(running.checkout_id))
        if empties_cart:
            await empty_cart(tx, running.actor)

    if running.point == "started" and batch.checks and ctx.settings.checkout_isolation == "SERIALIZABLE":
        await _belted(ctx, work)
    elif empties_cart:
        await ctx.db.run(work)
    else:
        await ctx.db.run_alone(work)


async def _belted(ctx: Context, work: Callable[[Tx], Awaitable[None]]) -> None:
    """SERIALIZABLE, as the design asks of placing an order; under contention the guards in the statement hold by
    themselves."""
    try:
        await ctx.db.run(work, "SERIALIZABLE")
    except DBAPIError as error:
        if sqlstate(error) not in RETRYABLE:
            raise
        await ctx.db.run(work)


def _lease(ctx: Context, running: Running, move: Transition, *, inline: bool) -> float:
    """Seconds the lease lasts from this commit: none when the worker is to go on, a growing pause when the gateway is
    away."""
    if move.point == running.point:
        return min(MAX_BACKOFF_SECONDS, 0.5 * (1 << min(running.attempts, 6)))
    if inline and move.point == "compensating":
        return 0.0
    return float(ctx.settings.checkout_lease_seconds)
