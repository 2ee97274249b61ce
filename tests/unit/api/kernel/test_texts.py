"""Characters that act instead of being read are refused, whatever the script; text that people write is accepted."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

from api.kernel.texts import OneLine, Prose, SomeLines, one_line, prose, some_lines

PEOPLE_WRITE = [
    "1 Market Street",
    "שדרות רוטשילד 1, תל אביב",
    "شارع الملك فهد ١٢، الرياض",
    "خانه‌ها",  # ZERO WIDTH NON-JOINER, which Persian needs
    "\u200fרחוב הרצל 5\u200e Apt. 3",  # the marks that keep a number with its word
    "👩‍👩‍👧 family",  # ZERO WIDTH JOINER
    "Résumé, 手机壳, Ὀδυσσεύς, ไทย",
    "a\u00a0b",
]
CONTROLS = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f"]
BREAKS = ["\n", "\r", "\u2028", "\u2029"]
OVERRIDES = ["\u202d", "\u202e"]
HALVES = ["\ud800", "\udfff"]
TURNS = ["\u202a", "\u202b", "\u202c", "\u2066", "\u2067", "\u2068", "\u2069"]


@pytest.mark.parametrize("text", PEOPLE_WRITE)
def test_what_people_write_is_accepted_everywhere(text: str) -> None:
    assert one_line(text) == some_lines(text) == prose(text) == text


@pytest.mark.parametrize("character", [*CONTROLS, *BREAKS, *OVERRIDES, *TURNS, *HALVES, "\t"])
def test_a_line_holds_no_character_that_acts(character: str) -> None:
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        one_line(f"a{character}b")


@pytest.mark.parametrize("character", [*CONTROLS, *OVERRIDES, *TURNS, *HALVES, "\t", "\u2028"])
def test_some_lines_hold_line_breaks_too(character: str) -> None:
    assert some_lines("Flat 3\n1 Market Street\r\n") == "Flat 3\n1 Market Street\r\n"
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        some_lines(f"a{character}b")


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", *OVERRIDES, *HALVES])
def test_prose_holds_tabs_breaks_and_isolated_words_too(character: str) -> None:
    assert prose("a\tb\n\u2067שלום\u2069 c\u2028\x85d") == "a\tb\n\u2067שלום\u2069 c\u2028\x85d"
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        prose(f"a{character}b")


@pytest.mark.parametrize(("kind", "rule"), [(OneLine, one_line), (SomeLines, some_lines), (Prose, prose)])
def test_the_document_shows_the_rule(kind: Any, rule: Callable[[str], str]) -> None:
    pattern = re.compile(TypeAdapter(Annotated[kind, Field(max_length=9)]).json_schema()["pattern"])
    for character in map(chr, [*range(0x3000), *range(0xD7F0, 0xE010), 0xFEFF, 0x1F469]):
        try:
            refused = rule(f"a{character}b") == ""
        except ValueError:
            refused = True
        assert (pattern.search(f"a{character}b") is None) is refused, hex(ord(character))


def test_the_character_is_called_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"leave out the character U\+202E \(right-to-left override\)"):
        one_line("invoice \u202egpj.exe")
    with pytest.raises(ValueError, match=r"leave out the character U\+D800, which is half of a character"):
        one_line("a\ud800b")
    with pytest.raises(ValueError, match=r"leave out the character U\+0007, a control character"):
        one_line("San\x07Francisco")
