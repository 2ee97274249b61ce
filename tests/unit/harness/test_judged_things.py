"""The judged set of things: gains by what a product is, whatever words it has."""

from pathlib import Path

from scipy import sparse

from api.search.evaluation import reading
from tests.benchmarks.support.judged_things import ACCESSORY, KIND, kinds_of, write
from tests.benchmarks.support.judged_titles import Titles

COLOURS = ("red", "blue", "green", "grey", "pink")
SIZES = ("small", "medium", "large", "tall")
# 20 lamps of category 1, of which four are not called so, 20 shades of category 2, and boxes of none.
LAMPS = [f"{size} red aurora" for size in SIZES]
LAMPS += [f"{size} {colour} lamp" for size in SIZES for colour in COLOURS[1:]]
SHADES = [f"{size} {colour} lamp shade" for size in SIZES for colour in COLOURS]
BOXES = [f"{size} {colour} box {number}" for number in range(5) for size in SIZES for colour in COLOURS]
TITLES = dict(enumerate([*LAMPS, *SHADES, *BOXES], 1))
ATTRIBUTES = {item: [1] if item <= 20 else [2] if item <= 40 else [] for item in TITLES}
FOUND = Titles("small", TITLES, {}, sparse.csr_matrix((len(TITLES) + 1, len(TITLES) + 1)), ATTRIBUTES)


def test_a_category_is_called_what_its_titles_end_in() -> None:
    assert [(kind.name, len(kind.products)) for kind in kinds_of(FOUND)] == [("lamp", 20), ("shade", 20)]


def test_a_gain_is_for_what_a_product_is_before_what_it_says(tmp_path: Path) -> None:
    folder = write(FOUND, tmp_path)
    products = {product.key: None for product in reading.products(folder)}
    judged = reading.judged(folder, products)
    gains = {judged.queries[key]: judged.judgements[key] for key in judged.queries}

    # Also those that are not called so; a shade for lamps is an accessory.
    assert [gains["lamp"][str(item)] for item in range(1, 21)] == [1.0] * 20
    assert {gains["lamp"][str(item)] for item in range(21, 41)} == {ACCESSORY}
    longer = next(query for query in gains if query.endswith(" lamp"))
    words = set(longer.split()) - {"lamp"}
    for item in range(1, 21):
        had = words & set(TITLES[item].split())
        assert (gains[longer][str(item)] == 1.0) == (had == words)
        assert (gains[longer][str(item)] == KIND) == (not had)


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    one, other = write(FOUND, tmp_path / "1"), write(FOUND, tmp_path / "2")
    assert (one / "queries.csv").read_bytes() == (other / "queries.csv").read_bytes()
    assert list(reading.products(one)) == list(reading.products(other))
