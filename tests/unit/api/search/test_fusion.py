"""How scores become an order."""

import pytest

from api.search import weights
from api.search.stages.fusion import fused, order_of


def test_without_anything_known_the_order_is_the_engines() -> None:
    assert order_of(fused([9.0, 4.0, 4.0, 1.0], None, None)) == [0, 1, 2, 3]


def test_meaning_and_words_are_weighed() -> None:
    words, near = [10.0, 5.0], [0.2, 0.6]

    share = weights.SEMANTIC
    assert fused(words, near, None) == pytest.approx([(1 - share) * 1.0, (1 - share) * 0.5 + share])


def test_equal_cosines_say_nothing() -> None:
    assert fused([10.0, 5.0], [0.4, 0.4], None) == [1.0, 0.5]


def test_a_product_without_a_vector_counts_as_its_words_do() -> None:
    assert fused([10.0, 8.0, 6.0], [None, 0.0, 1.0], None)[0] == 1.0
    assert fused([10.0, 8.0], [None, None], None) == [1.0, 0.8]


@pytest.mark.parametrize("words", [[], [0.0, 0.0]])
def test_nothing_found_and_no_score_are_no_error(words: list[float]) -> None:
    assert len(fused(words, [0.5 for _ in words], [1.0 for _ in words])) == len(words)


def test_those_with_every_word_stay_first() -> None:
    assert order_of([0.1, 0.2, 0.9, 1.0], full=2) == [1, 0, 3, 2]
    assert order_of([0.1, 0.2, 0.9, 1.0], full=100) == [3, 2, 1, 0]


def test_a_shoppers_bonus_is_bounded() -> None:
    most = weights.MOST_PERSONAL

    assert fused([10.0, 10.0, 10.0], None, [0.0, 1.0, 7.0]) == pytest.approx([1.0, most, most])
    assert order_of(fused([10.0, 10.0 / most - 0.1], None, [0.0, 1.0])) == [0, 1]
    assert order_of(fused([10.0, 10.0 / most + 0.1], None, [0.0, 1.0])) == [1, 0]
