"""The gateway's calls that move a checkout, or an edit that is paid for, from point to point."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from api.checkout.errors import PaymentDeclined, PaymentUnavailable
from api.checkout.saga.steps import TaskOutcome
from api.checkout.saga.transitions import Outcome, Task
from api.kernel import failpoints
from api.kernel.logs import get_logger
from api.payments.gateways.interface import Authorised, Gateway, GatewayRefused, Unreachable

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Words:
    """How the buyer is told. `stage`: how the names of failpoints begin, `kind`: what `reference` is called in logs."""

    stage: str
    kind: str
    declined: str
    nothing: str


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount under the gateway's idempotency key."""

    key: str
    amount: Decimal
    currency: str
    token: str
    reference: UUID


async def run(task: Task, find: Callable[[], Gateway], charge: Charge, words: Words) -> TaskOutcome:
    """Authorise, capture or void. A gateway that does not answer is an outcome too."""
    try:
        gateway = find()
        if task is Task.AUTHORISE:
            return await _authorise(gateway, charge, words)
        return await _capture(gateway, charge, words) if task is Task.CAPTURE else await _void(gateway, charge, words)
    except Unreachable as error:
        named = {words.kind: str(charge.reference)}
        log.warning("the gateway does not answer", task=task.value, reason=str(error), **named)
        message = f"The payment provider does not answer just now; {words.nothing}."
        gone = PaymentUnavailable(message, retry_after=5) if task is Task.AUTHORISE else None
        return TaskOutcome(Outcome.UNREACHABLE, failure=gone)


async def _authorise(gateway: Gateway, charge: Charge, words: Words) -> TaskOutcome:
    failpoints.hit(f"{words.stage}before_authorise")
    try:
        answer = await gateway.authorise(
            charge.key, charge.amount, charge.currency, charge.token, reference=str(charge.reference)
        )
    except GatewayRefused as error:
        raise Unreachable(f"the gateway refused us: {error.code}") from error
    failpoints.hit(f"{words.stage}after_authorise")
    if isinstance(answer, Authorised):
        return TaskOutcome(Outcome.AUTHORISED, reference=answer.reference)
    declined = PaymentDeclined(f"{words.declined}; {words.nothing}.", extra={"reason": answer.reason})
    return TaskOutcome(Outcome.DECLINED, failure=declined)


async def _capture(gateway: Gateway, charge: Charge, words: Words) -> TaskOutcome:
    failpoints.hit(f"{words.stage}before_capture")
    try:
        reference = await gateway.capture(charge.key, charge.amount)
    except GatewayRefused as error:
        message = f"The authorised payment could not be taken; {words.nothing}."
        return TaskOutcome(Outcome.REFUSED, failure=PaymentDeclined(message, extra={"reason": error.code}))
    failpoints.hit(f"{words.stage}after_capture")
    return TaskOutcome(Outcome.CAPTURED, reference=reference)


async def _void(gateway: Gateway, charge: Charge, words: Words) -> TaskOutcome:
    failpoints.hit(f"{words.stage}before_compensate")
    try:
        reference = await gateway.void(charge.key)
    except GatewayRefused as error:
        named = {words.kind: str(charge.reference)}
        log.error("a void was refused, it will be tried again", reason=error.code, **named)  # noqa: TRY400 - the code says it all
        return TaskOutcome(Outcome.UNREACHABLE)
    failpoints.hit(f"{words.stage}after_void")
    return TaskOutcome(Outcome.VOIDED, reference=reference)
