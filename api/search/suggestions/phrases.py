"""The phrases of a product: what shoppers would type for things of its kind.

A title is a list of what the thing is, with its make, size and colour. The nouns stand at the ends of its parts: of
`Stainless steel laptop stand, 2 pieces` the parts are `stainless steel laptop stand` and `pieces`, and the phrases are
`stand`, `laptop stand` and `steel laptop stand`. How many products share a phrase says whether it is one.
"""

import re
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_PHRASE_WORDS = 3
MAX_RUNS = 3
MAX_PHRASE = 60
_MARKS = string.punctuation + "\u201c\u201d\u2018\u2019\u00ab\u00bb\u2026\u2013\u2014\u2022\u2122\u00ae"
_LENGTHS = range(1, MAX_PHRASE_WORDS + 1)
_DIGIT = re.compile(r"\d")
_CLOSING = frozenset(",;:|/)]}!?\u2026\u2022")
_OPENING = frozenset("([{|/")
# Between two parts of a title, by language of the catalog.
_JOINTS_BY_LANGUAGE = """
a an and as at by for from in into is of on or over per the to under w with without x
am an auf aus bei das dem den der des die ein eine für im in mit ohne und von zum zur
à au aux avec dans de des du en et la le les ou par pour sans sur un une
con da del della di el en il las lo los para per por sin su una uno y
com e em o os para sem
een en het met of van voor zonder
"""
_JOINTS = frozenset(_JOINTS_BY_LANGUAGE.split())


@dataclass(frozen=True, slots=True)
class Phrases:
    """`heads` are phrases of one product alone, `parts` are phrases when two products have them. In lower case."""

    heads: tuple[str, ...]
    parts: tuple[str, ...]


def phrases_of(title: str, brand: str | None, values: Collection[str] = ()) -> Phrases:
    """`values`: those of the product's attributes, such as colours, which end no phrase."""
    runs = _runs(title)
    maker = spoken(brand) if brand else ""
    makers = tuple(maker.split())
    parts = [" ".join(run[-length:]) for run in runs for length in _LENGTHS[: len(run)]]
    head = " ".join(_head(runs, makers, {word for value in values for word in spoken(value).split()} if values else ()))
    if head and maker:
        parts.append(f"{maker} {head}")
    return Phrases(_known((maker, head)), _known(parts))


@lru_cache(20_000)
def spoken(name: str) -> str:
    """A name as a phrase: in lower case, its words without marks around them."""
    return " ".join(word for token in name.lower().split() if (word := token.strip(_MARKS)))[:MAX_PHRASE]


def _runs(title: str) -> list[tuple[str, ...]]:
    """The first parts of a title: words without numbers and joints."""
    runs, run = [], list[str]()
    for token in title.lower().split():
        if token.isalpha() and token not in _JOINTS:
            run.append(token)
            continue
        word, opens, closes = _token(token)
        if run and (word is None or opens):
            runs.append(tuple(run))
            run = []
        if word is not None:
            run.append(word)
            if closes:
                runs.append(tuple(run))
                run = []
        if len(runs) >= MAX_RUNS:
            break
    if run:
        runs.append(tuple(run))
    return runs[:MAX_RUNS]


@lru_cache(20_000)
def _token(token: str) -> tuple[str | None, bool, bool]:
    """The word of a token, None for one that is in no part; whether it begins a part, and whether it ends one."""
    word = token.strip(_MARKS)
    breaks = not word or word in _JOINTS or _DIGIT.search(word) is not None
    return None if breaks else word, token[0] in _OPENING, token[-1] in _CLOSING


def _head(runs: Iterable[tuple[str, ...]], makers: tuple[str, ...], values: Collection[str]) -> tuple[str, ...]:
    """What the thing is called, in at most two words: the first part without its maker and what it is of."""
    for whole in runs:
        run = whole[len(makers) :] if makers and whole[: len(makers)] == makers else whole
        while len(run) > 1 and run[-1] in values:
            run = run[:-1]
        if run:
            # Of three words the last one often says of what or for whom: `laptop stand oak`.
            return run[:2] if len(run) <= MAX_PHRASE_WORDS else run[-2:]
    return ()


def _known(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([phrase for phrase in phrases if 1 < len(phrase) <= MAX_PHRASE]))
