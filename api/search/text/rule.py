"""Which words a text has. Every text that is indexed and every query is read here and nowhere else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from api.search.text.folding import folded
from api.search.text.scripts import is_unspaced, pairs, runs, stemmed
from api.search.text.units import UNITS

# A longer word is none that anyone types; the index has none.
LONGEST = 40
# Chunks of texts with digits, hyphens or scripts without blanks, which are read once.
KEPT = 100_000
# A product's texts are read for the index and then for its suggestions.
KEPT_TEXTS = 64
# Between a number and its unit, so that both are one chunk. No folded text has it.
_GLUE = "~"
# Of a word of letters and digits the parts are words too when they are a name and its number.
_NAME_AND_NUMBER = re.compile(r"([a-z]{3,})([0-9]+)")
_NUMBER_AND_UNIT = re.compile(rf"([0-9]+(?:\.[0-9]+)?)[{_GLUE}-]?([a-z]+|\")")
# Patterns begin with the characters that they look for: for those the engine of patterns has a short way.
_SPECIALS = b'0123456789."-'
_SPECIAL = re.compile(r'[0-9."-]')
_GLUED = re.compile(
    rf"([0-9](?<![^\s-][0-9])[0-9]*(?:\.[0-9]+)?)[ -]({'|'.join(sorted(UNITS, key=len, reverse=True))})(?!\S)"
)
# 1,000 is a thousand, 0,5 a half.
_THOUSANDS = re.compile(r",(?<=[0-9],)(?=[0-9]{3}(?![0-9]))")
_DECIMAL_COMMA = re.compile(r",(?<=[0-9],)(?=[0-9])")
# Separators after all: a point that is not between two digits, a mark of inches after none, a hyphen at an end.
_ENDS = re.compile(r'[."-](?:(?<=\.)(?:(?![0-9])|(?<![0-9]\.))|(?<=")(?<![0-9]")|(?<=-)(?:(?![^\s-])|(?<!\S-)))')


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text. `parts`: what it is made of, one when it is simple; `joined`: the parts as one word, or the
    number with its unit; None for a simple word. A document has the parts and `joined`; who asks means either."""

    parts: tuple[str, ...]
    joined: str | None = None
    # What a document has of it beyond them.
    also: tuple[str, ...] = ()

    @property
    def forms(self) -> tuple[str, ...]:
        """What a document has of it."""
        return (*self.parts, *((self.joined,) if self.joined else ()), *self.also)

    @property
    def shown(self) -> str:
        """As one word."""
        return self.joined or self.parts[0]


def read(text: str) -> list[Word]:
    """The words of a text in order, in lower case and without accents, unstemmed.

    `Wi-Fi` is (wi, fi) and wifi; `iphone15` is (iphone, 15) and itself; `24"`, `24 inch` and `24-inch` are (24, inch)
    and 24in; Chinese, Japanese, Korean and Thai are pairs of neighbours.
    """
    return [word for chunk in _plain(text)[0].split() for word in _words(chunk)]


def surface_words(text: str) -> list[str]:
    """All forms of the words of a text, unstemmed."""
    plain, simple = _plain(text)
    if simple:
        return [chunk for chunk in plain.split() if len(chunk) <= LONGEST]
    return [form for chunk in plain.split() for form in _forms(chunk)]


def surface(text: str) -> str:
    """The forms of the words of a text, separated by blanks, unstemmed."""
    return " ".join(surface_words(text))


def prepared(text: str) -> str:
    """The forms of the words of a text, separated by blanks, as the analysers take them: of scripts with a stemmer of
    their own already as stems."""
    plain, simple = _plain(text)
    if simple:
        return plain
    if not plain.isascii():
        return " ".join([_prepared(chunk) for chunk in plain.split()])
    return " ".join([chunk if chunk.isalpha() else _prepared(chunk) for chunk in plain.split()])


def folded_code(text: str) -> str:
    """A SKU or GTIN without its case, its separators and the zeros that a shorter GTIN is filled with."""
    code = folded(text)
    if not code.isalnum():
        code = "".join(char for char in code if char.isalnum())
    return code.lstrip("0") if code.isdecimal() else code


@lru_cache(KEPT_TEXTS)
def _plain(text: str) -> tuple[str, bool]:
    """The text in chunks: separated by blanks, a number and its unit together; and whether each of them is a word as it
    stands, of ASCII letters."""
    if "," in text:
        text = _DECIMAL_COMMA.sub(".", _THOUSANDS.sub("", text))
    # Most points end a sentence.
    plain = folded(text).replace(". ", " ")
    if not _has_special(plain):
        return plain, plain.isascii()
    plain = _GLUED.sub(rf"\1{_GLUE}\2", _ENDS.sub(" ", plain))
    return plain, plain.isascii() and not _has_special(plain)


def _has_special(text: str) -> bool:
    if text.isascii():
        letters = text.encode()
        return len(letters.translate(None, _SPECIALS)) < len(letters)
    return _SPECIAL.search(text) is not None


@lru_cache(KEPT)
def _prepared(chunk: str) -> str:
    return " ".join(stemmed(form) for form in _forms(chunk))


@lru_cache(KEPT)
def _forms(chunk: str) -> tuple[str, ...]:
    return tuple(form for word in _words(chunk) for form in word.forms)


@lru_cache(KEPT)
def _words(chunk: str) -> tuple[Word, ...]:
    if chunk.isascii() or not is_unspaced(chunk):
        return tuple(_compound(chunk))
    return tuple(
        word
        for part in chunk.split("-")
        for run in runs(part)
        for word in (_pairs(run) if is_unspaced(run) else _compound(run))
    )


def _compound(chunk: str) -> Iterator[Word]:
    """A chunk in scripts with blanks."""
    if measured := _measured(chunk):
        yield measured
        return
    parts = tuple(part for part in chunk.split("-") if part and len(part) <= LONGEST)
    joined = "".join(parts)
    if len(parts) < 2 or len(joined) > LONGEST:
        yield from map(_single, parts)
    else:
        also = tuple(form for part in parts for form in _single(part).forms if form not in parts)
        yield Word(parts, joined.replace('"', ""), also)


def _single(part: str) -> Word:
    if measured := _measured(part):
        return measured
    if named := _NAME_AND_NUMBER.fullmatch(part):
        return Word(named.groups(), part)
    return Word((part.replace('"', "").replace(_GLUE, ""),))


def _measured(chunk: str) -> Word | None:
    """A number with its unit."""
    found = _NUMBER_AND_UNIT.fullmatch(chunk)
    if found is None or found[2] not in UNITS:
        return None
    number, unit = found.groups()
    return Word((number, "in" if unit == '"' else unit), number + UNITS[unit])


def _pairs(run: str) -> Iterator[Word]:
    """Of characters that no blank separates; who asks for one of them finds it wherever it is."""
    found = pairs(run)
    for place, pair in enumerate(found):
        yield Word((pair,), None, tuple(pair if place == len(found) - 1 else pair[0]) if len(pair) > 1 else ())
