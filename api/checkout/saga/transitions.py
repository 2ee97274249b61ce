"""The checkout as a pure function of recovery point and outcome; it returns the next point and the writes. No I/O.

A recovery point is committed before the next task begins, so another process can continue from it:
started -> reserved (stock held) -> created (order pending) -> authorised (money held) -> confirmed (order, stock) ->
captured -> completed. compensating (void, release, cancel) -> failed, from any point before the order is confirmed.

At each recovery point there is exactly one task to do next (`TASK`). It has one outcome, and `step` says the next point
and the writes that are committed with it.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

RECOVERY_POINTS = (
    "started",
    "reserved",
    "created",
    "authorised",
    "confirmed",
    "captured",
    "completed",
    "compensating",
    "failed",
)
TERMINAL = frozenset({"completed", "failed"})


class Task(StrEnum):
    """The only task at a point. Only the three gateway tasks make network calls."""

    PLAN = "plan"
    PROCEED = "proceed"
    AUTHORISE = "authorise"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    VOID = "void"


class Outcome(StrEnum):
    """The outcome of a task."""

    PLANNED = "planned"
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

    HOLD_STOCK = "hold_stock"
    CREATE_ORDER = "create_order"
    OPEN_PAYMENT = "open_payment"
    RECORD_AUTHORISATION = "record_authorisation"
    CONFIRM_STOCK = "confirm_stock"
    CONFIRM_ORDER = "confirm_order"
    RECORD_CAPTURE = "record_capture"
    ANSWER_SUCCESS = "answer_success"
    RELEASE_STOCK = "release_stock"
    RESTOCK = "restock"
    CANCEL_ORDER = "cancel_order"
    CANCEL_CONFIRMED_ORDER = "cancel_confirmed_order"
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
        "started": Task.PLAN,
        "reserved": Task.PROCEED,
        "created": Task.AUTHORISE,
        "authorised": Task.CONFIRM,
        "confirmed": Task.CAPTURE,
        "captured": Task.PROCEED,
        "compensating": Task.VOID,
    }
)

_ABANDON = (Write.RELEASE_STOCK, Write.CANCEL_ORDER, Write.ANSWER_FAILURE)
TRANSITIONS = MappingProxyType(
    {
        ("started", Outcome.PLANNED): Transition("reserved", (Write.HOLD_STOCK,)),
        ("started", Outcome.REFUSED): Transition("failed", (Write.ANSWER_FAILURE,)),
        ("started", Outcome.LATE): Transition("failed", (Write.ANSWER_FAILURE,)),
        ("reserved", Outcome.READY): Transition("created", (Write.CREATE_ORDER, Write.OPEN_PAYMENT)),
        ("reserved", Outcome.LATE): Transition("failed", (Write.RELEASE_STOCK, Write.ANSWER_FAILURE)),
        ("created", Outcome.AUTHORISED): Transition("authorised", (Write.RECORD_AUTHORISATION,)),
        ("created", Outcome.DECLINED): Transition("failed", (*_ABANDON, Write.RECORD_DECLINE)),
        # The gateway may hold money that is not recorded here: the buyer is answered now, and the worker voids it.
        ("created", Outcome.UNREACHABLE): Transition("compensating", _ABANDON),
        ("created", Outcome.LATE): Transition("compensating", _ABANDON),
        ("authorised", Outcome.READY): Transition("confirmed", (Write.CONFIRM_STOCK, Write.CONFIRM_ORDER)),
        ("authorised", Outcome.STOCK_LOST): Transition("compensating", _ABANDON),
        ("confirmed", Outcome.CAPTURED): Transition("captured", (Write.RECORD_CAPTURE,)),
        # The money is held and the order is confirmed: the task is retried, not compensated.
        ("confirmed", Outcome.UNREACHABLE): Transition("confirmed", ()),
        ("confirmed", Outcome.REFUSED): Transition(
            "compensating", (Write.RESTOCK, Write.CANCEL_CONFIRMED_ORDER, Write.ANSWER_FAILURE)
        ),
        ("captured", Outcome.READY): Transition("completed", (Write.ANSWER_SUCCESS,)),
        ("compensating", Outcome.VOIDED): Transition("failed", (Write.RECORD_VOID,)),
        ("compensating", Outcome.UNREACHABLE): Transition("compensating", ()),
    }
)


def step(point: str, outcome: Outcome) -> Transition:
    """The next point and the writes committed with it. Raises: ImpossibleStep."""
    if point in TERMINAL or (point, outcome) not in TRANSITIONS:
        raise ImpossibleStep(f"{outcome} at {point}")
    return TRANSITIONS[point, outcome]
