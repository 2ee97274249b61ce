"""Place an order; complete the checkouts whose lease expired."""

import psycopg
from fastapi import Response

from api.checkout.crowd import placing
from api.checkout.errors import GuestDetailsMissing, OrderPending, PaymentUnavailable
from api.checkout.saga.activity import keep_stock
from api.checkout.saga.driver import LostLease, drive
from api.checkout.saga.lease import take_over
from api.checkout.saga.opening import Answered, begin
from api.checkout.schemas import PlaceOrder
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import is_unavailable
from api.kernel.errors import FieldError, Problem
from api.kernel.idempotency import RequestKey, Stored
from api.kernel.logs import get_logger, trace_id

log = get_logger(__name__)


async def place_order(
    ctx: Context, actor: Actor, key: RequestKey, request: PlaceOrder, language: str | None = None
) -> Response:
    """Reserve, create, authorise, confirm and capture. `language`: the buyer's; None: the shop's own.

    The answer is final, or says that the order is still being completed.

    Raises: the problems of `api.checkout.errors`, IdempotencyKeyReused, RequestInFlight, GuestDetailsMissing.
    """
    _require_contact(actor, request)
    with placing(ctx):
        return await _placed(ctx, actor, key, request, language)


async def _placed(ctx: Context, actor: Actor, key: RequestKey, request: PlaceOrder, language: str | None) -> Response:
    begun = await begin(ctx, actor, key, request, language)
    if isinstance(begun, Answered):
        return begun.stored.response(replayed=begun.replayed)
    try:
        checkout, answer = await drive(ctx, begun, inline=True)
    except LostLease:
        raise OrderPending("The order is being completed elsewhere; ask again with the same Idempotency-Key.") from None
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        # Committed steps stay; the process that takes over the lease continues from the last one.
        log.warning(
            "the database does not answer in the middle of a checkout",
            checkout=str(begun.checkout_id),
        )
        raise OrderPending(
            "The order is being completed; ask again with the same Idempotency-Key.", retry_after=5
        ) from error
    if isinstance(answer, Stored):
        return answer.response()
    if isinstance(answer, Problem):
        raise answer
    if checkout.point == "confirmed":
        raise OrderPending("The payment is being taken; ask again with the same Idempotency-Key.", retry_after=2)
    raise PaymentUnavailable("The order could not be completed; nothing was charged.")


async def complete_abandoned(ctx: Context) -> int:
    """Take over every checkout whose lease expired, one after the other, and run each as far as possible.

    Returns how many were taken over.
    """
    taken = 0
    while (checkout := await take_over(ctx)) is not None:
        taken += 1
        trace_id.set(checkout.checkout_id.hex)
        if checkout.point == "created":
            await keep_stock(ctx, checkout.actor, checkout.key)
        try:
            checkout, _ = await drive(ctx, checkout, inline=False)
        except LostLease:
            continue
        log.info(
            "took over a checkout", checkout=str(checkout.checkout_id), point=checkout.point, attempts=checkout.attempts
        )
    return taken


def _require_contact(actor: Actor, request: PlaceOrder) -> None:
    if actor.signed_in:
        return
    errors = []
    if actor.session_id is None or actor.new_session:
        # An order of a session that the caller does not hold yet could not be asked for again after a lost answer.
        message = "send the session that an earlier answer gave you; this answer carries a new one"
        errors.append(FieldError(pointer="/header/X-Session-Id", message=message))
    if request.email is None:
        errors.append(FieldError(pointer="/email", message="needed without an account"))
    if errors:
        raise GuestDetailsMissing("Sign in, or send the fields named in `errors`.", errors=errors)
