"""The checkout as a pure function of recovery point and outcome; it returns the next point and the writes. No I/O.

A recovery point is committed before the next task begins, so another process can continue from it:
created (stock held, codes redeemed, cart claimed, order pending) -> confirmed (money authorised; stock and order
confirmed) -> completed (captured; what was ordered has left the cart).
compensating (void, release, cancel, give up the claim) -> failed, from any point before the payment is captured.

At each recovery point there is exactly one task to do next (`TASK`). It has one outcome, and `step` says the next point
and the writes that are committed with it.

Earlier versions of the shop also stopped at OLD_POINTS. Nothing enters them any more, but a row that such a version
left there is finished like any other.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

RECOVERY_POINTS = ("created", "confirmed", "completed", "compensating", "failed")
OLD_POINTS = ("started", "reserved", "authorised", "captured")
TERMINAL = frozenset({"completed", "failed"})


class Task(StrEnum):
    """The only task at a point. Only the three gateway tasks make network calls."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    GIVE_UP = "give_up"
    PROCEED = "proceed"


class Outcome(StrEnum):
    """The outcome of a task."""

    REFUSED = "refused"
    LATE = "late"
    READY = "ready"
    AUTHORISED = "authorised"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"
    STOCK_LOST = "stock_lost"
    CAPTURED = "captured"
    VOIDED = "voided"


class Write(StrEnum):
    """A write that is committed with the next point."""

    RECORD_AUTHORISATION = "record_authorisation"
    CONFIRM_STOCK = "confirm_stock"
    CONFIRM_ORDER = "confirm_order"
    RECORD_CAPTURE = "record_capture"
    ANSWER_SUCCESS = "answer_success"
    TAKE_CART = "take_cart"
    RELEASE_STOCK = "release_stock"
    RESTOCK = "restock"
    RELEASE_COUPONS = "release_coupons"
    CANCEL_ORDER = "cancel_order"
    CANCEL_CONFIRMED_ORDER = "cancel_confirmed_order"
    RELEASE_CART = "release_cart"
    RECORD_DECLINE = "record_decline"
    RECORD_VOID = "record_void"
    ANSWER_FAILURE = "answer_failure"


@dataclass(frozen=True, slots=True)
class Transition:
    point: str
    writes: tuple[Write, ...]


class ImpossibleStep(Exception):
    """An outcome that cannot happen at that point: a bug."""


TASK = MappingProxyType(
    {
        "created": Task.AUTHORISE,
        "confirmed": Task.CAPTURE,
        "compensating": Task.VOID,
        "started": Task.GIVE_UP,
        "reserved": Task.GIVE_UP,
        "authorised": Task.PROCEED,
        "captured": Task.PROCEED,
    }
)

_CONFIRM = (Write.CONFIRM_STOCK, Write.CONFIRM_ORDER)
_RELEASE = (Write.RELEASE_COUPONS, Write.ANSWER_FAILURE, Write.RELEASE_CART)
_ABANDON = (Write.RELEASE_STOCK, Write.CANCEL_ORDER, *_RELEASE)
_COMPLETE = (Write.ANSWER_SUCCESS, Write.TAKE_CART)
TRANSITIONS = MappingProxyType(
    {
        ("created", Outcome.AUTHORISED): Transition("confirmed", (Write.RECORD_AUTHORISATION, *_CONFIRM)),
        # The reservation ran out before the payment. The gateway holds money that is not recorded here; it is voided.
        ("created", Outcome.STOCK_LOST): Transition("compensating", _ABANDON),
        ("created", Outcome.DECLINED): Transition("failed", (*_ABANDON, Write.RECORD_DECLINE)),
        # The gateway may hold money that is not recorded here: the buyer is answered now, and the worker voids it.
        ("created", Outcome.UNREACHABLE): Transition("compensating", _ABANDON),
        ("created", Outcome.LATE): Transition("compensating", _ABANDON),
        ("confirmed", Outcome.CAPTURED): Transition("completed", (Write.RECORD_CAPTURE, *_COMPLETE)),
        # The money is held and the order is confirmed: the task is retried, not compensated.
        ("confirmed", Outcome.UNREACHABLE): Transition("confirmed", ()),
        ("confirmed", Outcome.REFUSED): Transition(
            "compensating",
            (Write.RESTOCK, Write.CANCEL_CONFIRMED_ORDER, *_RELEASE),
        ),
        ("compensating", Outcome.VOIDED): Transition("failed", (Write.RECORD_VOID,)),
        ("compensating", Outcome.UNREACHABLE): Transition("compensating", ()),
        # Old points. Before `created` there is no order yet and no call to the gateway: the buyer may ask again.
        ("started", Outcome.LATE): Transition("failed", (Write.ANSWER_FAILURE,)),
        ("reserved", Outcome.LATE): Transition("failed", (Write.RELEASE_STOCK, Write.ANSWER_FAILURE)),
        ("authorised", Outcome.READY): Transition("confirmed", _CONFIRM),
        ("authorised", Outcome.STOCK_LOST): Transition("compensating", _ABANDON),
        ("captured", Outcome.READY): Transition("completed", _COMPLETE),
    }
)


def step(point: str, outcome: Outcome) -> Transition:
    """The next point and the writes committed with it. Raises: ImpossibleStep."""
    if point in TERMINAL or (point, outcome) not in TRANSITIONS:
        raise ImpossibleStep(f"{outcome} at {point}")
    return TRANSITIONS[point, outcome]
