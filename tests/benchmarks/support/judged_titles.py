"""Judged sets made of real titles and of what else is known of the products: `souk evaluate search` measures them.

Nobody judged these products for a query. What stands in for a judgement is independent of the engine: which products
have the same category and brand (beauty), or are bought by the same people (retail), with the words that they share
with the query. Queries are phrases that several titles have, or a few words of one title, which hardly another has all
of. A product's description is the titles of three that are bought with it, so that words in a description say less
than words in a title, as they do in a shop.
"""

import csv
import gzip
import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from api.search.evaluation.engines import plain_analyser
from api.search.evaluation.perturbations import draw, sample
from api.search.evaluation.probes import FUNCTION_WORDS

SEED = 11
QUERIES = 300
# How many words a query has, and which share of the queries has so many.
LENGTHS = {1: 0.2, 2: 0.5, 3: 0.3}
FEWEST, MOST = 6, 150
# A phrase that ends a title, or a part of one before a comma or dash, in this share of the titles names a thing.
ENDS = 0.3
NEIGHBOURS = 3
NEAREST = 5
# Products of a word of the query that have no gain.
MOST_WITHOUT_GAIN = 100
# Of the agreement of the titles that hold a query.
ALIKE = 0.6
Judgements = dict[int, float]
Kind = Literal["phrases", "words"]


@dataclass(frozen=True, slots=True)
class Titles:
    """Real products by their number in the set, with those that people bought with each, nearest first."""

    name: str
    titles: Mapping[int, str]
    brands: Mapping[int, str]
    vectors: "sparse.csr_matrix"
    attributes: Mapping[int, Sequence[int]]


def beauty(folder: Path) -> Titles:
    """Amazon Beauty: categories and brands are numbers, a brand's name is what the titles of its products begin
    with."""
    titles = {int(row["item_id"]): row["title"].strip() for row in _table(folder / "items.tsv.gz")}
    attributes = {int(item): found for item, found in json.loads(_text(folder / "item_attributes.json.gz")).items()}
    shoppers = [[int(item) for item in line.split()[1:]] for line in _text(folder / "sequences.txt.gz").splitlines()]
    titles = {item: title for item, title in titles.items() if title}
    return Titles("beauty", titles, _brands(titles, attributes), _bought_together(shoppers, max(titles)), attributes)


def retail(folder: Path) -> Titles:
    """UCI Online Retail: titles and baskets; no brand, no category."""
    titles = {int(row["item_id"]): row["title"].strip() for row in _table(folder / "items.tsv.gz")}
    baskets: dict[str, set[int]] = defaultdict(set)
    with gzip.open(folder / "order_lines.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["quantity"]) > 0 and float(row["unit_price"]) > 0:
                baskets[row["order_id"]].add(int(row["item_id"]))
    titles = {item: title for item, title in titles.items() if title}
    return Titles("retail", titles, {}, _bought_together(baskets.values(), max(titles)), {})


def sets(root: Path, folder: Path) -> Iterator[Path]:
    """Write every set that can be made of the data below `root`, below `folder`."""
    for name, read in (("amazon_beauty", beauty), ("online_retail", retail)):
        if (root / name).is_dir():
            found = read(root / name)
            yield from (write(found, kind, folder) for kind in get_args(Kind))


def write(found: Titles, kind: Kind, folder: Path, *, queries: int = QUERIES, seed: int = SEED) -> Path:
    """Write the judged set of some titles, with one kind of queries, below `folder`; returns where."""
    place = folder / f"{found.name}-{kind}"
    place.mkdir(parents=True, exist_ok=True)
    stems = {item: set(plain_analyser().analyze(title)) for item, title in found.titles.items()}
    items = sorted(found.titles)
    random.Random(seed).shuffle(items)
    described = descriptions(found)
    write_table(
        place / "products.csv.gz",
        ("id", "title", "description", "brand"),
        ((item, found.titles[item], described[item], found.brands.get(item, "")) for item in items),
    )
    asked = (_phrases if kind == "phrases" else _some_words)(found.titles, queries, seed)
    judge = _by_attributes if found.attributes else _by_baskets
    judgements = {query: _gains(judge(found, query, asked[query]), stems, query) for query in asked}
    chosen = {f"q{number:03}": query for number, query in enumerate(asked) if any(judgements[query].values())}
    write_table(place / "queries.csv", ("query_id", "query"), chosen.items())
    write_table(
        place / "judgements.csv.gz",
        ("query_id", "product_id", "gain"),
        ((key, item, gain) for key, query in chosen.items() for item, gain in judgements[query].items()),
    )
    return place


def _by_attributes(found: Titles, query: str, holders: Sequence[int]) -> dict[int, float]:
    """How much of what is typical of the titles that hold the query a product has, from 0 to 1: categories and brands
    that many of them have, and few others."""
    usual = Counter(one for item in found.titles for one in found.attributes.get(item, ()))
    here = Counter(one for item in holders for one in found.attributes.get(item, ()))
    weights = {}
    for one, count in here.items():
        share = count / len(holders)
        more = share * len(found.titles) / usual[one]
        if share >= 0.3 and more >= 3:
            weights[one] = share * math.log(more)
    best = sum(weights.values())
    return {
        item: sum(weights.get(one, 0.0) for one in found.attributes.get(item, ())) / best
        for item in (found.titles if best else ())
    }


def _by_baskets(found: Titles, query: str, holders: Sequence[int]) -> dict[int, float]:
    """How near a product is, by what it is bought with, to those whose titles hold the query; 1 is as near as they are
    to each other."""
    rows = found.vectors[list(holders)]
    near = np.asarray(found.vectors @ np.asarray(rows.sum(axis=0)).ravel()).ravel()
    # Without its own part in the sum, so that a holder is as near as another product would be.
    own = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    near[list(holders)] -= own
    # Of a single one the nearest say what is near.
    usual = float(np.median(near[list(holders)]) if len(holders) > 1 else np.sort(near)[-NEAREST])
    agreement = {item: float(near[item]) / usual for item in (found.titles if usual > 0 else ())}
    return {**agreement, holders[0]: 1.0} if len(holders) == 1 and agreement else agreement


def _gains(agreement: Mapping[int, float], stems: Mapping[int, set[str]], query: str) -> Judgements:
    """A gain by agreement and by words. 1: all words, and alike; .5: all words, or half of what they say, and alike;
    .25: half of it and a little alike. What has words and no gain is judged 0, so far as it is drawn."""
    words = set(plain_analyser().analyze(query))
    says = {word: math.log(len(stems) / (1 + sum(word in known for known in stems.values()))) for word in words}
    gains: Judgements = {}
    for item, part in agreement.items():
        if shared := words & stems[item]:
            said = sum(says[word] for word in shared) / sum(says.values())
            alike, little = part >= ALIKE, part >= ALIKE / 2
            if shared == words:
                gains[item] = 1.0 if alike else 0.5
            elif said >= 0.5 and little:
                gains[item] = 0.5 if alike else 0.25
            else:
                gains[item] = 0.0
    others = [str(item) for item, gain in gains.items() if not gain]
    chosen = sample(others, MOST_WITHOUT_GAIN, draw(SEED, "without gain", query))
    return {item: gain for item, gain in gains.items() if gain} | {int(item): 0.0 for item in chosen}


def _phrases(titles: Mapping[int, str], most: int, seed: int) -> dict[str, list[int]]:
    """Phrases that name things, with the products whose titles hold them; drawn by length."""
    holders: dict[str, dict[int, bool]] = defaultdict(dict)
    for item, title in titles.items():
        for part in parts_of(title):
            for length in LENGTHS:
                for start in range(len(part) - length + 1):
                    phrase = " ".join(part[start : start + length])
                    holders[phrase][item] = holders[phrase].get(item, False) or start + length == len(part)
    names = {
        phrase: sorted(items)
        for phrase, items in holders.items()
        if FEWEST <= len(items) <= MOST and sum(items.values()) >= ENDS * len(items) and _is_name(phrase)
    }
    chosen = [
        phrase
        for length, share in LENGTHS.items()
        for phrase in sample(
            sorted(name for name in names if len(name.split()) == length),
            round(share * most),
            draw(seed, "queries", str(length)),
        )
    ]
    return {phrase: names[phrase] for phrase in chosen}


def _some_words(titles: Mapping[int, str], most: int, seed: int) -> dict[str, list[int]]:
    """Three or four words of a title in their order, with the product."""
    asked = {}
    for key in sample(list(map(str, titles)), most, draw(seed, "products")):
        chance = draw(seed, "words", key)
        words = list(dict.fromkeys(word for part in parts_of(titles[int(key)]) for word in part if _is_name(word)))
        if len(words) > 3:
            asked[" ".join(sample(words, chance.choice((3, 4)), chance))] = [int(key)]
    return asked


def _is_name(phrase: str) -> bool:
    words = phrase.split()
    return all(len(word) > 2 and word.isalpha() and word not in FUNCTION_WORDS for word in (words[0], words[-1]))


def parts_of(title: str) -> Iterable[list[str]]:
    """The words of a title between commas, dashes and brackets, in lower case."""
    for mark in ",()[]/|;:":
        title = title.replace(mark, "\n")
    for part in title.replace(" - ", "\n").casefold().splitlines():
        if words := [word.strip(".*!?\"'") for word in part.split()]:
            yield [word for word in words if word]


def _brands(titles: Mapping[int, str], attributes: Mapping[int, Sequence[int]]) -> dict[int, str]:
    """The word that most titles of an attribute begin with, where that is so: the attribute is a brand then."""
    firsts: dict[int, Counter[str]] = defaultdict(Counter)
    for item, title in titles.items():
        for one in attributes.get(item, ()):
            firsts[one][title.split()[0]] += 1
    names = {}
    for one, counts in firsts.items():
        name, count = counts.most_common(1)[0]
        if count >= 3 and count >= 0.6 * counts.total():
            names[one] = name
    return {item: names[one] for item, found in attributes.items() if item in titles for one in found if one in names}


def _bought_together(baskets: Iterable[Iterable[int]], last: int) -> "sparse.csr_matrix":
    """A row of length 1 per product: how much more often than by chance it is bought with each other one."""
    rows, columns = [], []
    for number, basket in enumerate(baskets):
        for item in set(basket):
            if item <= last:
                rows.append(number)
                columns.append(item)
    bought = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (max(rows) + 1, last + 1))
    together = (bought.T @ bought).tocoo()
    times = np.asarray(bought.sum(axis=0)).ravel()
    kept = (together.row != together.col) & (together.data > 1)
    row, col, data = together.row[kept], together.col[kept], together.data[kept]
    more = np.maximum(np.log(data * bought.shape[0] / (times[row] * times[col])), 0)
    vectors = sparse.csr_matrix((more, (row, col)), together.shape)
    length = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(length, 1e-9)) @ vectors)


def descriptions(found: Titles) -> dict[int, str]:
    described = {}
    for item in found.titles:
        row = found.vectors[[item]]
        nearest = row.indices[np.argsort(-row.data, kind="stable")[:NEIGHBOURS]]
        others = [found.titles[int(other)] for other in nearest if int(other) in found.titles]
        described[item] = f"Often bought with {'; '.join(others)}." if others else ""
    return described


def _table(path: Path) -> Iterable[dict[str, str]]:
    head, *lines = _text(path).splitlines()
    return (dict(zip(head.split("\t"), line.split("\t"), strict=False)) for line in lines)


def _text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (
        gzip.open(path, "wt", encoding="utf-8", newline="")
        if path.suffix == ".gz"
        else path.open("w", encoding="utf-8", newline="")
    ) as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
