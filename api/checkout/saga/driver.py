"""Drives one checkout from point to point: run the task, commit its outcome with the next point, repeat.

No transaction is open during a gateway call. Every commit is one statement whose gate checks the lease and the current
point, so a driver whose lease expired or was taken over changes nothing and stops.
"""

from api.carts.changes import announce, name_of
from api.checkout.errors import OutOfStock, PaymentUnavailable
from api.checkout.saga import charging
from api.checkout.saga.charging import Charge, Words
from api.checkout.saga.commits import Passed, Step, commit
from api.checkout.saga.lease import LeasedCheckout, lease_seconds
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
        before = checkout.point
        found = await _run_task(ctx, checkout, late=late)
        checkout, decided = await _commit(ctx, checkout, found, inline=inline)
        answer = decided or answer
        if checkout.point == before:
            return checkout, answer
        if checkout.point in _AFTER_COMMIT:
            failpoints.hit(_AFTER_COMMIT[checkout.point])
    return checkout, answer


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
) -> tuple[LeasedCheckout, Stored | Problem | None]:
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
