"""The checkout as a pure function: where it is, what happened, where it goes and what is written on the way. No I/O.

At each recovery point there is exactly one thing to do next (`TASK`); its outcome is an event; `step` says the next
point and the writes that are committed together with it. Whoever holds the lease does this; a process that died is
replaced by another that reads the point.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from api.checkout.recovery import TERMINAL


class Task(StrEnum):
    """The one thing to do at a point. Only the three gateway tasks leave the process."""

    PLAN = "plan"
    PROCEED = "proceed"
    AUTHORISE = "authorise"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    VOID = "void"


class Event(StrEnum):
    """How a task went."""

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
    """What is committed with the next point."""

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
    """An event that cannot happen at that point: a bug, never a state of the world."""


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
        ("started", Event.PLANNED): Transition("reserved", (Write.HOLD_STOCK,)),
        ("started", Event.REFUSED): Transition("failed", (Write.ANSWER_FAILURE,)),
        ("started", Event.LATE): Transition("failed", (Write.ANSWER_FAILURE,)),
        ("reserved", Event.READY): Transition("created", (Write.CREATE_ORDER, Write.OPEN_PAYMENT)),
        ("reserved", Event.LATE): Transition("failed", (Write.RELEASE_STOCK, Write.ANSWER_FAILURE)),
        ("created", Event.AUTHORISED): Transition("authorised", (Write.RECORD_AUTHORISATION,)),
        ("created", Event.DECLINED): Transition("failed", (*_ABANDON, Write.RECORD_DECLINE)),
        # The gateway may hold money we do not know of: let the buyer go now, and make sure of the void afterwards.
        ("created", Event.UNREACHABLE): Transition("compensating", _ABANDON),
        ("created", Event.LATE): Transition("compensating", _ABANDON),
        ("authorised", Event.READY): Transition("confirmed", (Write.CONFIRM_STOCK, Write.CONFIRM_ORDER)),
        ("authorised", Event.STOCK_LOST): Transition("compensating", _ABANDON),
        ("confirmed", Event.CAPTURED): Transition("captured", (Write.RECORD_CAPTURE,)),
        # Money is held and the goods are the buyer's: nothing to undo, only to try again.
        ("confirmed", Event.UNREACHABLE): Transition("confirmed", ()),
        ("confirmed", Event.REFUSED): Transition(
            "compensating", (Write.RESTOCK, Write.CANCEL_CONFIRMED_ORDER, Write.ANSWER_FAILURE)
        ),
        ("captured", Event.READY): Transition("completed", (Write.ANSWER_SUCCESS,)),
        ("compensating", Event.VOIDED): Transition("failed", (Write.RECORD_VOID,)),
        ("compensating", Event.UNREACHABLE): Transition("compensating", ()),
    }
)


def step(point: str, event: Event) -> Transition:
    """The next point and the writes committed with it. Raises: ImpossibleStep."""
    if point in TERMINAL or (point, event) not in TRANSITIONS:
        raise ImpossibleStep(f"{event} at {point}")
    return TRANSITIONS[point, event]
