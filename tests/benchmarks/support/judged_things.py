"""A judged set of things: a product is judged by what it is, by its category, and by the words of its whole title.

Queries name a category as its titles do, alone or after one or two words that some of its titles have. A product of the
category that has these words has the gain 1, with one of two NEARLY, with none the gain of its KIND alone; one of
another category that has all words in its title has that of ACCESSORY, as the remover has for `nail polish`. What an
engine sees is less than that: titles end at their first comma, the rest of them is in the description, with titles of
what is bought with it, and half of the categories are not named.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from api.search.evaluation.engines import plain_analyser
from api.search.evaluation.perturbations import draw, sample
from api.search.evaluation.probes import FUNCTION_WORDS
from tests.benchmarks.support.judged_titles import (
    SEED,
    Judgements,
    Titles,
    beauty,
    descriptions,
    parts_of,
    write_table,
)

NEARLY, KIND, ACCESSORY = 0.4, 0.15, 0.15
# Products of a category that is asked for.
FEWEST, MOST = 15, 600
# How typical of its category a name must be, and how many of its titles end in it.
TYPICAL, ENDING = 0.5, 5
QUERIES_OF_A_KIND = 4
# In so few titles a word is a product's own, in so many it says little.
RAREST, USUAL = 5, 800
MOST_WITHOUT_GAIN = 100
SHORTEST, LONGEST = 3, 10
# Words that titles end in and that name nothing.
MEASURES = {
    *("ounce", "ounces", "count", "pack", "inch", "set", "piece", "pieces", "pcs", "each", "fluid", "model", "kit"),
    *("men", "women", "unisex", "black", "brown", "light"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A category by what its titles call it."""

    name: str
    products: Sequence[int]


def sets(root: Path, folder: Path) -> Iterator[Path]:
    """Write the set that can be made of the data below `root`, below `folder`."""
    if (root / "amazon_beauty").is_dir():
        yield write(beauty(root / "amazon_beauty"), folder)


def write(found: Titles, folder: Path, seed: int = SEED) -> Path:
    """Write the judged set below `folder`; returns where."""
    place = folder / f"{found.name}-things"
    place.mkdir(parents=True, exist_ok=True)
    kinds = kinds_of(found)
    analyser = plain_analyser()
    stems = {item: frozenset(analyser.analyze(title)) for item, title in found.titles.items()}
    usual = Counter(word for title in found.titles.values() for word in set(_words(title)))
    judgements = {query: gains for kind in kinds for query, gains in _asked(found, kind, stems, usual, seed)}
    keys = {f"q{number:03}": query for number, query in enumerate(judgements)}
    columns = ("id", "title", "description", "category", "brand")
    write_table(place / "products.csv.gz", columns, _products(found, kinds, seed))
    write_table(place / "queries.csv", ("query_id", "query"), keys.items())
    rows = ((key, item, gain) for key, query in keys.items() for item, gain in judgements[query].items())
    write_table(place / "judgements.csv.gz", ("query_id", "product_id", "gain"), rows)
    return place


def kinds_of(found: Titles) -> list[Kind]:
    """The categories that have a name, by name: the ending of titles that most of theirs have and few others."""
    endings = {item: _endings(title) for item, title in found.titles.items()}
    usual = Counter(ending for those in endings.values() for ending in those)
    products: dict[int, list[int]] = defaultdict(list)
    for item in sorted(found.titles):
        for one in found.attributes.get(item, ()):
            products[one].append(item)
    best: dict[str, tuple[float, Kind]] = {}
    for items in (products[one] for one in sorted(products) if FEWEST <= len(products[one]) <= MOST):
        counts = Counter(ending for item in items for ending in endings[item])
        named = max(
            (
                (count / len(items) * math.log(count / len(items) * len(endings) / usual[name]), name)
                for name, count in counts.items()
                if count >= ENDING and not set(name.split()) & (MEASURES | FUNCTION_WORDS)
            ),
            default=(0.0, ""),
        )
        typical, name = named
        if typical >= TYPICAL and (name not in best or best[name][0] < typical):
            best[name] = (typical, Kind(name, items))
    return [best[name][1] for name in sorted(best)]


def _asked(
    found: Titles, kind: Kind, stems: Mapping[int, frozenset[str]], usual: Mapping[str, int], seed: int
) -> Iterator[tuple[str, Judgements]]:
    """The queries for a kind, the first its name alone, with the gains of the products."""
    name = _stem(kind.name)
    asked = set()
    for number in range(QUERIES_OF_A_KIND):
        chance = draw(seed, kind.name, str(number))
        title = found.titles[chance.choice(kind.products)]
        typical = [
            word
            for word in dict.fromkeys(_words(title))
            if word not in MEASURES and RAREST <= usual[word] <= USUAL and not _stem(word) & name
        ]
        words = sample(typical, 0 if number == 0 else chance.choice((1, 1, 2)), chance)
        query = " ".join([*words, kind.name])
        if query not in asked:
            asked.add(query)
            yield query, _gains(kind, query, _stem(" ".join(words)), name, stems)


def _gains(
    kind: Kind, query: str, words: frozenset[str], name: frozenset[str], stems: Mapping[int, frozenset[str]]
) -> Judgements:
    gains: Judgements = {}
    for item in kind.products:
        had = words & stems[item]
        gains[item] = 1.0 if had == words else NEARLY if had else KIND
    others = [item for item in stems if item not in gains and (words | name) & stems[item]]
    gains |= {item: ACCESSORY for item in others if words | name <= stems[item]}
    without = [str(item) for item in others if item not in gains]
    return gains | {int(item): 0.0 for item in sample(without, MOST_WITHOUT_GAIN, draw(SEED, "without gain", query))}


def _products(found: Titles, kinds: Sequence[Kind], seed: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(seed)
    shown = [kind for kind in kinds if chance.random() < 0.5]
    called: dict[int, str] = {}
    for kind in shown:
        for item in kind.products:
            called.setdefault(item, kind.name)
    said = descriptions(found)
    items = sorted(found.titles)
    chance.shuffle(items)
    for item in items:
        title, rest = _parted(found.titles[item])
        again = f"{title} is what you need." if chance.random() < 0.5 else ""
        category = " > ".join(filter(None, ["Beauty", called.get(item)]))
        yield item, title, " ".join(filter(None, [rest, again, said[item]])), category, found.brands.get(item, "")


def _parted(title: str) -> tuple[str, str]:
    """The title up to its first comma or dash, and the rest."""
    words = title.split()
    ends = (place for place, word in enumerate(words[:LONGEST], 1) if place > SHORTEST and word.endswith((",", "-")))
    end = next(ends, LONGEST)
    return " ".join(words[:end]).rstrip(" ,-"), " ".join(words[end:])


def _endings(title: str) -> set[str]:
    """The last word, and the last two, of each part of a title."""
    parts = [[word for word in part if word.isalpha() and len(word) > 2] for part in parts_of(title)]
    return {" ".join(part[-length:]) for part in parts for length in (1, 2) if len(part) >= length}


def _words(title: str) -> list[str]:
    """Its words of letters that may describe a thing."""
    words = [word for part in parts_of(title) for word in part]
    return [word for word in words if word.isalpha() and len(word) > 2 and word not in FUNCTION_WORDS]


@lru_cache(20_000)
def _stem(text: str) -> frozenset[str]:
    return frozenset(plain_analyser().analyze(text))
