"""Queries as they are typed: with filler words, errors, words run together or torn apart. Each is drawn from its own
seed, so that it is the same in every run, whatever else is measured."""

import random
import string
from collections.abc import Callable, Sequence

# A word with fewer letters is not recognised once one is wrong.
MIN_WRONG = 4
# Both parts of a word that is torn apart have at least so many letters.
MIN_PART = 3
_ACCENTS = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
# The perturbed query, or None where the kind means nothing for it.
Perturbation = Callable[[str, random.Random], str | None]


def draw(seed: int, *about: str) -> random.Random:
    """The source of chance for one thing: what is drawn for one does not change what is drawn for another."""
    return random.Random("\0".join([str(seed), *about]))  # noqa: S311 - a run can be repeated, nothing is secret


def perturbed(kind: str, query: str, key: str, seed: int) -> str | None:
    """The query of an id as this kind of KINDS changes it; None where it means nothing."""
    changed = KINDS[kind](query, draw(seed, kind, key))
    return None if changed == query else changed


def one_error(word: str, chance: random.Random) -> str:
    """The word with one letter dropped, added, replaced, or swapped with the next one. Another word than this."""
    while True:
        place = chance.randrange(len(word))
        letter = chance.choice(string.ascii_lowercase)
        head, tail = word[:place], word[place:]
        changed = chance.choice(
            [head + tail[1:], head + letter + tail, head + letter + tail[1:], head + tail[1:2] + tail[:1] + tail[2:]]
        )
        if changed != word:
            return changed


def plural_or_singular(word: str) -> str:
    """The other number of an English noun, by its ending."""
    folded = word.casefold()
    if folded.endswith("ies"):
        return word[:-3] + "y"
    if folded.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if folded.endswith("s") and not folded.endswith("ss"):
        return word[:-1]
    if folded.endswith("y") and folded[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if folded.endswith(("ch", "sh", "ss", "x")) else "s")


def _typos(number: int) -> Perturbation:
    """Errors in words of letters, in different words as long as there are some."""

    def change(query: str, chance: random.Random) -> str | None:
        words = query.split()
        places = [i for i, word in enumerate(words) if word.isalpha() and len(word) >= MIN_WRONG]
        if not places:
            return None
        chosen = chance.sample(places, min(number, len(places)))
        while len(chosen) < number:
            chosen.append(chance.choice(places))
        for place in chosen:
            words[place] = one_error(words[place], chance)
        return " ".join(words)

    return change


def _joined(query: str, chance: random.Random) -> str | None:
    """Two words side by side as one."""
    words = query.split()
    if len(words) < 2:
        return None
    place = chance.randrange(len(words) - 1)
    return " ".join([*words[:place], words[place] + words[place + 1], *words[place + 2 :]])


def _all_joined(query: str, _: random.Random) -> str | None:
    return "".join(query.split())


def _split(query: str, chance: random.Random) -> str | None:
    """One word as two."""
    words = query.split()
    places = [i for i, word in enumerate(words) if word.isalpha() and len(word) >= 2 * MIN_PART]
    if not places:
        return None
    place = chance.choice(places)
    word = words[place]
    at = chance.randint(MIN_PART, len(word) - MIN_PART)
    return " ".join([*words[:place], word[:at], word[at:], *words[place + 1 :]])


def _other_number(query: str, _: random.Random) -> str | None:
    """The last word in the other number."""
    *words, last = query.split() or [""]
    return " ".join([*words, plural_or_singular(last)]) if last.isalpha() and len(last) >= MIN_PART else None


def _accented(query: str, _: random.Random) -> str | None:
    """An accent on the first vowel of each word."""
    return " ".join(map(_accented_word, query.split()))


def _accented_word(word: str) -> str:
    for place, letter in enumerate(word):
        if letter in "aeiouAEIOU":
            return word[:place] + letter.translate(_ACCENTS) + word[place + 1 :]
    return word


KINDS: dict[str, Perturbation] = {
    "the": lambda query, _: f"the {query}",
    "for sale": lambda query, _: f"{query} for sale",
    "one typo": _typos(1),
    "two typos": _typos(2),
    "joined": _joined,
    "all joined": _all_joined,
    "split": _split,
    "plural": _other_number,
    "case": lambda query, _: query.upper(),
    "accents": _accented,
}


def sample(values: Sequence[str], most: int, chance: random.Random) -> list[str]:
    """At most `most` of the values, in their order."""
    if len(values) <= most:
        return list(values)
    return [values[i] for i in sorted(chance.sample(range(len(values)), most))]
