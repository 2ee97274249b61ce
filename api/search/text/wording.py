"""Which words of a query are asked for, and how each of them may be written: the same for every engine."""

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from api.search import weights
from api.search.text import Word
from api.search.text.stops import fillers, stops

MAX_WORDS = 20
# Words of an expression that a synonym may stand for.
MOST_EXPRESSED = 4
# A code has at least so many characters; shorter ones are numbers.
MIN_CODE = 4
_LETTERS_AND_NUMBERS = re.compile(r"[a-z]+|[0-9]+")


class Searched(Protocol):
    """A word that is asked for: as it was typed, what is searched for it, and what else it was taken for."""

    @property
    def typed(self) -> str: ...

    @property
    def searched(self) -> str: ...

    @property
    def others(self) -> Sequence[str]: ...


def corrected(slots: Sequence[Searched]) -> str | None:
    """What is searched, if that is not what was typed."""
    if all(slot.searched == slot.typed for slot in slots):
        return None
    return " ".join(slot.searched for slot in slots)


def also_searched(slots: Sequence[Searched], also: Sequence[Searched]) -> list[str]:
    """What else finds: the text with each other word that one was taken for, and what words that are not required were
    taken for."""
    words = [slot.searched for slot in slots]
    texts = [
        " ".join([*words[:place], other, *words[place + 1 :]])
        for place, slot in enumerate(slots)
        for other in slot.others
    ]
    return texts + [one for slot in also for one in (slot.searched, *slot.others) if one != slot.typed]


def enough(slots: Sequence[Searched], also: Sequence[Searched]) -> int:
    """Where fewer products have all words that are required, those with some of the words are found too. `also`: words
    that are asked for and not required."""
    if also:
        return sys.maxsize
    return weights.FILL_BELOW if len(slots) > 1 else 0


def different(words: Iterable[Word]) -> list[Word]:
    """Each word once."""
    return list({word.shown: word for word in words}.values())


def divided(words: Sequence[Word], languages: Collection[str]) -> tuple[list[Word], list[Word]]:
    """The words that are asked for, and the fillers, which only order. All are asked for where nothing else would be.
    `languages`: those that the text may be in."""
    stop, filler = _unasked(frozenset(languages))
    asked = [word for word in words if word.shown not in stop and word.shown not in filler]
    if not asked:
        return list(words), []
    return asked, [word for word in words if word.shown in filler]


def writings(word: Word) -> list[tuple[str, ...]]:
    """The ways to write a word: each one form, or several that stand for it together."""
    if word.joined:
        return [(word.joined,), word.parts]
    if not word.shown.isalpha():
        parts = _LETTERS_AND_NUMBERS.findall(word.shown)
        if len(parts) > 1 and "".join(parts) == word.shown:
            return [(word.shown,), tuple(parts)]
    return [(word.shown,)]


def expressions(words: Sequence[Word]) -> list[tuple[range, str]]:
    """What a synonym may stand for: each word, and neighbours together, with their places."""
    shown = [word.shown for word in words]
    return [
        (range(first, end), " ".join(shown[first:end]))
        for first in range(len(shown))
        for end in range(first + 1, min(first + MOST_EXPRESSED, len(shown)) + 1)
    ]


def may_be_code(text: str) -> bool:
    """Whether a text may be a SKU or a GTIN."""
    return " " not in text.strip() or any(char.isdigit() for char in text)


@lru_cache(64)
def _unasked(languages: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset().union(*map(stops, languages)), frozenset().union(*map(fillers, languages))


def filling(frequencies: Sequence[int], documents: int) -> tuple[list[int], bool]:
    """The places of the words that find products where some of the words are enough, and whether a product must have
    all of these.

    They are the rarest. Words that much of the catalog has find nothing by themselves: where there are no others, so
    many of them together that few products have them, were one word as likely with another as without it.
    """
    rarest = sorted(range(len(frequencies)), key=frequencies.__getitem__)
    common = max(weights.COMMON_FROM, int(weights.TOO_COMMON * documents))
    rare = [place for place in rarest if frequencies[place] <= common]
    if rare:
        return rare[: weights.MOST_FILLING], False
    together, expected = list[int](), float(documents)
    for place in rarest:
        together.append(place)
        expected *= frequencies[place] / documents
        if expected <= weights.COMMON_FROM:
            break
    return together, True
