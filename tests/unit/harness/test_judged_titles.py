"""Judged sets of titles: their gains on a small shop, and the same files from the same seed."""

import gzip
import json
from pathlib import Path

import pytest

from api.search.evaluation import reading
from tests.benchmarks.support.judged_titles import beauty, retail, sets

COLOURS = ("red", "blue", "green", "black", "white", "brown", "grey", "pink")
# Eight lamps of category 1, eight shades for lamps of category 2, and boxes of category 3, so that none is usual.
TITLES = [
    *(f"Lumi desk lamp, {colour}" for colour in COLOURS),
    *(f"Hutte shade for a lamp, {colour}" for colour in COLOURS),
    *(f"Karo box {colour} {number}" for number in range(6) for colour in COLOURS),
]
CATEGORIES = [1] * 8 + [2] * 8 + [3] * 48


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both real forms: lamps are bought with lamps, shades with shades, each with a box."""
    for name in ("amazon_beauty", "online_retail"):
        (tmp_path / name).mkdir()
    rows = "".join(f"{number}\tB{number:09}\t{title}\n" for number, title in enumerate(TITLES, 1))
    pack(tmp_path / "amazon_beauty" / "items.tsv.gz", f"item_id\tasin\ttitle\n{rows}")
    attributes = {str(number): [category] for number, category in enumerate(CATEGORIES, 1)}
    pack(tmp_path / "amazon_beauty" / "item_attributes.json.gz", json.dumps(attributes))
    baskets = [[1 + i, 1 + (i + step) % 8, 17 + i] for i in range(8) for step in (1, 2, 3)]
    baskets += [[9 + i, 9 + (i + step) % 8, 17 + i] for i in range(8) for step in (1, 2, 3)]
    baskets *= 2
    lines = [" ".join(map(str, [number, *basket])) for number, basket in enumerate(baskets)]
    pack(tmp_path / "amazon_beauty" / "sequences.txt.gz", "\n".join(lines))
    items = "".join(f"{number}\t{title.upper()}\n" for number, title in enumerate(TITLES, 1))
    pack(tmp_path / "online_retail" / "items.tsv.gz", f"item_id\ttitle\n{items}")
    orders = [f"{number},{item},1,2.5" for number, basket in enumerate(baskets) for item in basket]
    returned = "900,64,-1,2.5"
    pack(
        tmp_path / "online_retail" / "order_lines.csv.gz",
        "\n".join(["order_id,item_id,quantity,unit_price", *orders, returned]),
    )
    return tmp_path


def pack(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def judgements(folder: Path) -> dict[str, dict[str, float]]:
    """By the words of the query."""
    judged = reading.judged(folder, {product.key: None for product in reading.products(folder)})
    return {judged.queries[key]: dict(gains) for key, gains in judged.judgements.items()}


def test_a_product_has_a_gain_by_its_words_and_by_what_it_is(root: Path, tmp_path: Path) -> None:
    made = {folder.name: folder for folder in sets(root, tmp_path / "made")}
    assert list(made) == ["beauty-phrases", "beauty-words", "retail-phrases", "retail-words"]

    of_phrases = judgements(made["beauty-phrases"])
    # A lamp by all words and its category; a shade has one word of two, and another category.
    assert of_phrases["desk lamp"] == {**{str(n): 1.0 for n in range(1, 9)}, **{str(n): 0.0 for n in range(9, 17)}}
    # Half of those that have the word are of either category: none is more of a lamp than another.
    assert of_phrases["lamp"] == {str(n): 0.5 for n in range(1, 17)}
    # What is bought with each other is alike.
    assert judgements(made["retail-phrases"])["desk lamp"]["1"] > 0
    assert {gains[str(n)] for gains in [judgements(made["retail-phrases"])["desk lamp"]] for n in range(9, 17)} == {0.0}


def test_a_brand_is_what_titles_begin_with_and_descriptions_name_what_is_bought_with_it(root: Path) -> None:
    found = beauty(root / "amazon_beauty")

    assert (found.brands[1], found.brands[9], found.brands[64]) == ("Lumi", "Hutte", "Karo")
    bought = retail(root / "online_retail").vectors
    assert bought[0, 0] == 0  # of the number 0, which no product has
    assert bought[64].nnz == 0  # what came back was not bought
    assert bought[1, 17] > 0


def test_the_same_seed_makes_the_same_set(root: Path, tmp_path: Path) -> None:
    def texts(name: str) -> dict[str, list[reading.Product] | dict[str, dict[str, float]] | list[str]]:
        return {
            folder.name: [*map(repr, reading.products(folder)), repr(judgements(folder))]
            for folder in sets(root, tmp_path / name)
        }

    assert texts("one") == texts("other")
