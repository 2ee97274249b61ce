"""Text that clients send. A line of it holds no character that acts instead of being read: no control character, no
line break, and none of the marks that turn the direction of what follows (in an address they show a carrier other
words than are stored). Text in Arabic or Hebrew needs none of them; the marks U+200E, U+200F and U+061C are allowed.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

# As a class of characters, in the words that Python's and ECMAScript's regular expressions share.
_OVERRIDES = r"\u202d\u202e"
_TURNS = r"\u202a-\u202e\u2066-\u2069"
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_MORE_CONTROLS = r"\x80-\x9f"
# Half of a character, which has no UTF-8.
_HALVES = r"\ud800-\udfff"
_BREAKS = r"\u2028\u2029"
_NOT_IN_LINES = rf"\t{_CONTROLS}{_MORE_CONTROLS}{_BREAKS}{_TURNS}{_HALVES}"
_NOT_IN_LINE = rf"\n\r{_NOT_IN_LINES}"
_NOT_IN_PROSE = rf"{_CONTROLS}{_OVERRIDES}{_HALVES}"
_line, _lines, _prose = (re.compile(f"[{refused}]") for refused in (_NOT_IN_LINE, _NOT_IN_LINES, _NOT_IN_PROSE))


def one_line(value: str) -> str:
    """Raises: ValueError that names the character which is not part of a line."""
    return _without(_line, value)


def some_lines(value: str) -> str:
    """As `one_line`, with line breaks. Raises: ValueError."""
    return _without(_lines, value)


def prose(value: str) -> str:
    """Text of any length: tabs, line breaks, and marks that embed or isolate a direction may be in it. Raises:
    ValueError for other control characters and for overrides."""
    return _without(_prose, value)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Tells the reader of the API's document which characters are refused."""

    refused: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "pattern": f"^[^{self.refused}]*$"}


# An address that somebody gives for mail; that of an account is judged more strictly.
MAIL_ADDRESS = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
OneLine = Annotated[str, AfterValidator(one_line), _Shown(_NOT_IN_LINE)]
SomeLines = Annotated[str, AfterValidator(some_lines), _Shown(_NOT_IN_LINES)]
Prose = Annotated[str, AfterValidator(prose), _Shown(_NOT_IN_PROSE)]


def _without(refused: re.Pattern[str], value: str) -> str:
    found = refused.search(value)
    if found is None:
        return value
    raise ValueError(f"leave out the character U+{ord(found.group()):04X}{_name(found.group())}")


def _name(character: str) -> str:
    name = unicodedata.name(character, "")
    if name:
        return f" ({name.lower()})"
    return ", a control character" if unicodedata.category(character) == "Cc" else ", which is half of a character"


def plain(text: str) -> str:
    """What is compared of a text: its letters and digits in words, whatever their case and width. One without any, as
    an emoji, stays as it is."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(each if unicodedata.category(each)[0] in "LNM" else " " for each in folded).split()
    return " ".join(words or folded.split())
