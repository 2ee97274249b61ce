"""Queries made of the titles themselves, with what they must find: known products, words with one error, pairs of words
written as one."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from api.search.evaluation.perturbations import MIN_PART, MIN_WRONG, draw, one_error, sample

KNOWN_WORDS = 3
FIRST = 5
_LETTERS = re.compile(r"[^\W\d_]+")
# They say nothing of a product, and nobody means the word that they make with their neighbour.
FUNCTION_WORDS = {
    *("and", "but", "for", "from", "its", "not", "nor", "off", "our", "out", "per", "the", "too", "was", "with", "you"),
    *("all", "are", "any", "more", "this", "that", "your"),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A query and whether a product of this title is what it must find."""

    query: str
    finds: Callable[[str], bool]


def words_of(title: str) -> list[str]:
    """Its words of letters alone, in lower case."""
    return _LETTERS.findall(title.casefold())


def known_titles(titles: Mapping[str, str], most: int, seed: int) -> list[Probe]:
    """Whole titles, which find the product, or one of the same title."""
    return [Probe(titles[key], titles[key].__eq__) for key in sample(list(titles), most, draw(seed, "known titles"))]


def known_words(titles: Mapping[str, str], most: int, seed: int) -> list[Probe]:
    """Three words of a title in their order, which find the product, or one of the same title."""
    chance = draw(seed, "known words")
    long = [key for key, title in titles.items() if len(set(words_of(title))) > KNOWN_WORDS]
    probes = []
    for key in sample(long, most, chance):
        words = list(dict.fromkeys(words_of(titles[key])))
        probes.append(Probe(" ".join(sample(words, KNOWN_WORDS, chance)), titles[key].__eq__))
    return probes


def one_error_words(titles: Mapping[str, str], most: int, seed: int, stems: Callable[[str], list[str]]) -> list[Probe]:
    """Words of titles with one wrong letter, each as likely as any other, which find a product of the word. A wrong
    word that is a word of another title is none."""
    known = _vocabulary(titles.values())
    chance = draw(seed, "one error")
    words = sorted(word for word in known if len(word) >= MIN_WRONG and word not in FUNCTION_WORDS)
    probes = []
    for word in sample(words, most, chance):
        wrong = one_error(word, chance)
        while wrong in known:
            wrong = one_error(word, chance)
        probes.append(Probe(wrong, _has(stems(word), stems)))
    return probes


def joined_pairs(titles: Mapping[str, str], most: int, seed: int, stems: Callable[[str], list[str]]) -> list[Probe]:
    """Neighbours in titles as one word, each pair as likely as any other, which find a product of both. What is a
    word of another title is none."""
    known = _vocabulary(titles.values())
    pairs = {pair for title in titles.values() for pair in _pairs(title) if "".join(pair) not in known}
    chosen = sample([" ".join(pair) for pair in sorted(pairs)], most, draw(seed, "joined pairs"))
    return [Probe(pair.replace(" ", ""), _has(stems(pair), stems)) for pair in chosen]


def _vocabulary(titles: Iterable[str]) -> set[str]:
    return {word for title in titles for word in words_of(title)}


def _pairs(title: str) -> Iterable[tuple[str, str]]:
    """Words of letters with one blank between them."""
    words = title.casefold().split()
    for one, other in pairwise(words):
        if all(word.isalpha() and len(word) >= MIN_PART and word not in FUNCTION_WORDS for word in (one, other)):
            yield one, other


def _has(wanted: list[str], stems: Callable[[str], list[str]]) -> Callable[[str], bool]:
    return lambda title: set(wanted) <= set(stems(title))
