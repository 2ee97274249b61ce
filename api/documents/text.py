"""Text as it is drawn: letters in the form and order of their script, and nothing lost that no font has."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from api.documents.fonts import has, width_of

_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_ARABIC = re.compile(r"[\u0600-\u06ff\u0750-\u077f]")
# Han and kana have no spaces: a line may end after each of them.
_BREAKS = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef]+|\s+"
)
_MORE = "…"


def clean(words: str) -> str:
    """Composed letters and single spaces, without what has no picture: controls, marks of direction, variations."""
    composed = unicodedata.normalize("NFC", words)
    kept = (
        " " if character.isspace() else character
        for character in composed
        if character.isspace() or (unicodedata.category(character) not in {"Cc", "Cf", "Cs"} and not _varies(character))
    )
    return re.sub(r" {2,}", " ", "".join(kept)).strip()


def _varies(character: str) -> bool:
    """Whether it only chooses between pictures of the character before it."""
    return "\ufe00" <= character <= "\ufe0f"


@cache
def _shaper() -> Any:  # Any: arabic_reshaper has no types
    from arabic_reshaper import ArabicReshaper

    # FiraGO has the isolated forms under the plain letters only.
    return ArabicReshaper({"use_unshaped_instead_of_isolated": True, "support_ligatures": True})


def shown(words: str) -> str:
    """One line of `clean` text, character by character from left to right as a pen draws it. A character that no font
    has is written as its code point."""
    if _RIGHT_TO_LEFT.search(words):
        from bidi.algorithm import get_display

        shaped = _shaper().reshape(words) if _ARABIC.search(words) else words
        words = str(get_display(shaped))
    return "".join(character if has(character) else f"[U+{ord(character):04X}]" for character in words)


def wrapped(words: str, width: float, size: float, *, bold: bool = False, most: int | None = None) -> list[str]:
    """The lines, as they are drawn, of text in a column; a line feed begins one. The last of `most` ends with "…" when
    there are more."""
    paragraphs = [clean(part) for part in words.split("\n")]
    lines = [line for part in paragraphs for line in _lines(part, width, size, bold=bold)] or [""]
    if most is not None and len(lines) > most:
        last = lines[most - 1]
        while last and width_of(shown(last) + _MORE, size, bold=bold) > width:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip() + _MORE]
    return [shown(line) for line in lines]


def _lines(words: str, width: float, size: float, *, bold: bool) -> Iterator[str]:
    line = ""
    for piece in _pieces(words, width, size, bold=bold):
        if line and width_of(shown(line + piece.rstrip()), size, bold=bold) > width:
            yield line.rstrip()
            line = piece.lstrip()
        else:
            line += piece
    if line.strip():
        yield line.rstrip()


def _pieces(words: str, width: float, size: float, *, bold: bool) -> Iterator[str]:
    """Where a line may end; a word that is wider than a line may end anywhere."""
    for found in _BREAKS.finditer(words):
        piece = found.group()
        if width_of(shown(piece), size, bold=bold) <= width:
            yield piece
        else:
            yield from piece
