"""Characters: which are one, which are none, and which end a word."""

import unicodedata

APOSTROPHES = "'\u2018\u2019\u02bc\u02b9\uff07\u2032"
# Between two characters of a word these are looked at again: a hyphen joins, a point is of a number, a mark is a unit.
KEPT = '-."'
HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
INCHES = "\u2033\u201d\u201c\u301e\uff02"
# Letters that no decomposition takes apart.
_LETTERS = {
    "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d", "ħ": "h", "ŧ": "t", "ŋ": "n",
    "ё": "е", "ґ": "г",
    # Forms of one Arabic letter, and the stretch between two.
    "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ـ": "", "ک": "ك", "ی": "ي",
}  # fmt: skip
# Signs of trade are no letters of the word before them.
_SIGNS = "\u2122\u00ae\u00a9\u2120"
# Marks of these are left out; those of Thai, and of the scripts of India, are vowels.
_ACCENTS = ((0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x064B, 0x065F), (0x0670, 0x0670), (0x06D6, 0x06ED))
_JOINERS = ((0x200B, 0x200F), (0x2060, 0x2060), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0x00AD, 0x00AD))
_LAST_OF_GREEK = 0x03FF


def _within(code: int, spans: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in spans)


class _Folding(dict[int, str]):
    """What each character becomes; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(char: str) -> str:
    code = ord(char)
    if char in KEPT:
        return char
    if char in HYPHENS:
        return "-"
    if char in INCHES:
        return '"'
    if char in APOSTROPHES or _within(code, _ACCENTS) or _within(code, _JOINERS):
        return ""
    if char in _SIGNS:
        return " "
    known = unicodedata.normalize("NFKC", char).casefold()
    # A fraction is no part of the number before it.
    return (" " if "\u2044" in known else "") + "".join(map(_letter, known))


def _letter(char: str) -> str:
    """Of a character in lower case."""
    if char in _LETTERS:
        return _LETTERS[char]
    apart = unicodedata.normalize("NFKD", char)
    if ord(apart[0]) <= _LAST_OF_GREEK:
        apart = "".join(one for one in apart if not unicodedata.combining(one))
        return "".join(one if one.isalnum() else " " for one in apart) if len(apart) > 1 else _alone(apart or " ")
    return _alone(char)


def _alone(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if char.isalnum() or unicodedata.category(char) in {"Mn", "Mc"}:
        return char
    # A picture is a word of its own.
    return f" {char} " if unicodedata.category(char) == "So" else " "


_FOLDING = _Folding()
# Of ASCII alone the same: there a character becomes one or none, for which bytes have a short way.
_ASCII = "".join(_FOLDING[code] or " " for code in range(128)).encode().ljust(256)
_LEFT_OUT = bytes(code for code in range(128) if not _FOLDING[code])


def folded(text: str) -> str:
    """The text in lower case, without accents and apostrophes, with a blank for everything that is no letter or number
    of any script, no picture and none of KEPT. Composed and decomposed texts are equal."""
    if text.isascii():
        return text.encode().translate(_ASCII, _LEFT_OUT).decode()
    return unicodedata.normalize("NFC", text).translate(_FOLDING)
