"""Where a refused value stands in what the client sent, as an RFC 6901 JSON pointer.

Pydantic's location of an error also names what the client never wrote: the member of a union that was tried, the key of
a mapping. A step that leads nowhere in the client's own JSON is no step of the pointer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from api.kernel.errors import FieldError

PARTS = ("query", "path", "header", "cookie")
_ABSENT = object()

# Any, in this module: JSON


def field_errors(found: Iterable[dict[str, Any]], body: Any) -> list[FieldError]:
    """One error a place; where several members of a union were tried, every reason is given once."""
    messages: dict[str, dict[str, None]] = {}
    for item in found:
        part, *steps = item["loc"]
        if part in PARTS:
            place = pointer([part, *steps])
        else:
            place = pointer(_own_steps(steps, body, item["input"], absent=item["type"] == "missing"))
        messages.setdefault(place, {})[_message(item)] = None
    return [FieldError(pointer=place, message="; or: ".join(reasons)) for place, reasons in messages.items()]


def pointer(steps: Iterable[object]) -> str:
    """The whole document is the empty pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _message(item: dict[str, Any]) -> str:
    """Pydantic's words, without the prefix of an error that a rule of ours raised."""
    text = str(item["msg"])
    return text.removeprefix("Value error, ") if item["type"] == "value_error" else text


def _own_steps(steps: Sequence[int | str], body: Any, value: Any, *, absent: bool) -> list[int | str]:
    """The steps that are the client's: those that lead to the refused value, or to the object that lacks the last."""
    absent = absent and len(steps) > 0  # the whole body
    wanted = steps[:-1] if absent else steps
    exact = _lead_to(wanted, body, value)
    own = _longest(wanted, body) if exact is None else exact
    return [*own, steps[-1]] if absent else own


def _lead_to(steps: Sequence[int | str], inside: Any, value: Any) -> list[int | str] | None:
    """The steps that lead to this very value; None when none do."""
    if not steps:
        return [] if inside is value else None
    first, rest = steps[0], steps[1:]
    below = _below(inside, first)
    if below is not _ABSENT and (found := _lead_to(rest, below, value)) is not None:
        return [first, *found]
    return _lead_to(rest, inside, value)


def _longest(steps: Sequence[int | str], inside: Any) -> list[int | str]:
    """Every step that leads somewhere: for values that pydantic has converted before it refused them."""
    own = []
    for step in steps:
        below = _below(inside, step)
        if below is not _ABSENT:
            own.append(step)
            inside = below
    return own


def _below(inside: Any, step: int | str) -> Any:
    if isinstance(inside, dict):
        return inside.get(step, _ABSENT)
    if isinstance(inside, list) and isinstance(step, int) and step < len(inside):
        return inside[step]
    return _ABSENT
