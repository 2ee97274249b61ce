"""What a cell of CSV says, and how a value is written into one.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break is a formula to a spreadsheet. It is read as the text
that it is, and written behind an apostrophe, which spreadsheets hide; reading takes one such apostrophe away again, so
what is written is read as it was.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal

Kind = Literal["text", "amount", "whole", "switch", "list", "json", "member"]
MAX_DIGITS = 30

_ACTS = re.compile(r"'*[=+\-@\t\r\n]")
_MARKED = re.compile(r"'+[=+\-@\t\r\n]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WHOLE = re.compile(r"-?\d+")
_GROUPED = re.compile(r"-?\d{1,3}([.,' \u00a0\u202f\u2019]\d{3})+([.,]\d+)?")
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_AMOUNT_FIX = "write digits and at most one point, as in 1299.00: no thousands separators, no currency"
_WHOLE_FIX = "write digits only, as in 1299"


class CellError(ValueError):
    """What is wrong with a cell, and how to write it instead."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


def unmarked(text: str) -> str:
    """The text of a cell without the apostrophe that keeps a spreadsheet from computing it."""
    return text[1:] if text.startswith("'") and _MARKED.match(text) else text


def marked(text: str) -> str:
    """The text as a spreadsheet may open it."""
    return "'" + text if _ACTS.match(text) else text


def read(kind: Kind, text: str) -> object:
    """The value of a cell that is not blank. Raises: CellError."""
    return _READ[kind](text)


def write(kind: Kind, value: object) -> str:
    """The cell of a value: `read` gives it back. None is blank."""
    return "" if value is None else marked(_WRITTEN[kind](value))


def _amount(text: str) -> Decimal:
    _require(_NUMBER, text, "an amount", _AMOUNT_FIX)
    return Decimal(text)


def _whole(text: str) -> int:
    _require(_WHOLE, text, "a whole number", _WHOLE_FIX)
    return int(text)


def _require(form: re.Pattern[str], text: str, wanted: str, fix: str) -> None:
    if len(text) > MAX_DIGITS:
        raise CellError(f"a number of more than {MAX_DIGITS} characters", fix)
    if form.fullmatch(text):
        return
    if _GROUPED.fullmatch(text):
        raise CellError(f"{text!r} has a thousands separator", fix)
    if re.fullmatch(r"-?\d+,\d+", text):
        raise CellError(f"{text!r} has a comma for the decimal point", fix)
    raise CellError(f"{text!r} is not {wanted}", fix)


def _switch(text: str) -> bool:
    known = {"true": True, "false": False}.get(text.casefold())
    if known is None:
        raise CellError(f"{text!r} is neither true nor false", "write true or false")
    return known


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CellError("not JSON", "write the value as JSON") from None


def _member(text: str) -> object:
    """A number, true, false, a list or a quoted text as JSON writes it; anything else is the text itself."""
    if text in {"true", "false"} or text[:1] in {'"', "["} or (len(text) < MAX_DIGITS and _JSON_NUMBER.fullmatch(text)):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _member_text(value: object) -> str:
    if isinstance(value, str) and value.strip() and _member(value) is value:
        return value
    return _json_text(value)


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_READ: Mapping[Kind, Callable[[str], object]] = {
    "text": str,
    "amount": _amount,
    "whole": _whole,
    "switch": _switch,
    "list": str.split,
    "json": _json,
    "member": _member,
}
_WRITTEN: Mapping[Kind, Callable[..., str]] = {
    "text": str,
    "amount": "{:f}".format,
    "whole": str,
    "switch": lambda value: str(value).lower(),
    "list": " ".join,
    "json": _json_text,
    "member": _member_text,
}
