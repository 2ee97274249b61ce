"""Drives one checkout from point to point: run the task, commit its outcome with the next point, repeat.

No transaction is open during a gateway call. Every commit is one statement whose gate checks the lease and the current
point, so a driver whose lease expired or was taken over changes nothing and stops.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from api.carts.changes import announce, name_of
from api.checkout.errors import OutOfStock, PaymentUnavailable
from api.checkout.saga import charging
from api.checkout.saga.charging import Charge, Words
from api.checkout.saga.commits import Passed, Step, commit
from api.checkout.saga.lease import Leased, LeasedCheckout, lease_seconds
from api.checkout.saga.steps import Done, TaskOutcome
from api.checkout.saga.transitions import TASK, TERMINAL, Outcome, Task, Write, step
from api.kernel import failpoints
from api.kernel.context import Context
from api.kernel.errors import Problem
from api.kernel.idempotency import Stored
from api.payments.gateways.interface import gateway_key
from api.payments.gateways.registry import gateway_named

_WORDS = Words("checkout.", "checkout", "Use another payment method", "nothing was charged")
_AFTER_COMMIT = {"confirmed": "checkout.after_confirm", "completed": "checkout.after_complete"}


class LostLease(Exception):
    """Another process drives this checkout now."""


L = TypeVar("L", bound=Leased)
# Once it is decided: stored bytes, or a problem that is not stored.
Decided = Stored | Problem | None


async def run_on(
    leased: L,
    task: Callable[[L], Awaitable[TaskOutcome]],
    commit_outcome: Callable[[L, TaskOutcome], Awaitable[tuple[L, Decided]]],
    after_commit: Mapping[str, str],
    *,
    inline: bool,
) -> tuple[L, Decided]:
    """Run the task of each point and commit its outcome with the next one, until it is over or has to wait.

    Returns it at its point, and the answer. `after_commit`: failpoints by the point that was committed. With `inline`,
    the worker makes the compensation's gateway call, so that the buyer does not wait for it. Raises: LostLease.
    """
    answer: Decided = None
    while leased.point not in TERMINAL:
        if inline and leased.point == "compensating":
            return leased, answer
        before = leased.point
        leased, decided = await commit_outcome(leased, await task(leased))
        answer = decided or answer
        if leased.point == before:
            return leased, answer
        if leased.point in after_commit:
            failpoints.hit(after_commit[leased.point])
    return leased, answer


async def drive(ctx: Context, checkout: LeasedCheckout, *, inline: bool) -> tuple[LeasedCheckout, Decided]:
    """Run the checkout on, as `run_on` says. Raises: LostLease."""
    late = checkout.age > ctx.settings.checkout_deadline_seconds

    async def task(at: LeasedCheckout) -> TaskOutcome:
        return await _run_task(ctx, at, late=late)

    async def commit_outcome(at: LeasedCheckout, found: TaskOutcome) -> tuple[LeasedCheckout, Decided]:
        return await _commit(ctx, at, found, inline=inline)

    return await run_on(checkout, task, commit_outcome, _AFTER_COMMIT, inline=inline)


async def _run_task(ctx: Context, checkout: LeasedCheckout, *, late: bool) -> TaskOutcome:
    """Run the task of the current point.

    `late`: the checkout is too old to begin a step that would have to be compensated.
    """
    task = TASK[checkout.point]
    if task is Task.GIVE_UP or (late and task is Task.AUTHORISE):
        expired = PaymentUnavailable("The order could not be completed in time; nothing was charged.")
        return TaskOutcome(Outcome.LATE, failure=expired)
    if task is Task.PROCEED:
        return TaskOutcome(Outcome.READY)
    key, plan, token = gateway_key(checkout.checkout_id), checkout.settled_plan, checkout.request.payment_method.token
    charge = Charge(key, plan.total, plan.currency, token, checkout.checkout_id)
    return await charging.run(task, lambda: gateway_named(ctx, plan.gateway), charge, _WORDS)


async def _commit(
    ctx: Context, checkout: LeasedCheckout, found: TaskOutcome, *, inline: bool
) -> tuple[LeasedCheckout, Decided]:
    """Commit the outcome, or that the reservation has run out; the checkout at its next point, and the answer that is
    now decided. Raises: LostLease."""
    for outcome in (found, _stock_lost()):
        move = step(checkout.point, outcome.outcome)
        seconds = lease_seconds(checkout, move, ctx.settings.checkout_lease_seconds, inline=inline)
        committed = await commit(Step(ctx, Done(checkout, outcome), move, seconds))
        if committed.passed is Passed.TAKEN:
            break
        if committed.passed is Passed.MOVED:
            if Write.TAKE_CART in move.writes:
                _announce_cart(ctx, checkout)
            return checkout.at(move.point), committed.answer or outcome.failure
    raise LostLease(str(checkout.checkout_id))


def _announce_cart(ctx: Context, checkout: LeasedCheckout) -> None:
    """What was ordered has left the cart; who looks at it hears that, also when the cart has become a member's."""
    plan = checkout.settled_plan
    if plan.from_cart:
        cart = [] if plan.cart is None else [str(plan.cart.cart_id)]
        announce(ctx, [name_of(checkout.actor), *cart])


def _stock_lost() -> TaskOutcome:
    lost = OutOfStock("The reservation ran out before the payment; nothing was charged.")
    return TaskOutcome(Outcome.STOCK_LOST, failure=lost)
