"""Which words find products where some of a query's words are enough."""

import pytest

from api.search import weights
from api.search.text.wording import filling

DOCUMENTS = 100_000


@pytest.mark.parametrize(
    ("frequencies", "expected"),
    [
        ([5_000, 20, 300], ([1, 2, 0], False)),
        ([50_000, 20], ([1], False)),
        ([50_000, 10_001], ([1, 0], True)),
        ([90_000, 20_000, 30_000, 20_000, 40_000], ([1, 3, 2, 4], True)),
        ([*range(1, 9)], ([*range(weights.MOST_FILLING)], False)),
    ],
    ids=["the rarest first", "without what much has", "no rare word", "until few have them", "a few only"],
)
def test_the_rarest_words_fill(frequencies: list[int], expected: tuple[list[int], bool]) -> None:
    assert filling(frequencies, DOCUMENTS) == expected


def test_in_a_small_catalog_no_word_is_common() -> None:
    assert filling([weights.COMMON_FROM, 600], weights.COMMON_FROM) == ([1, 0], False)
