"""Measures of a ranking against values that were worked out by hand."""

from math import log2

import pytest

from api.search.evaluation.metrics import gains_of, gains_of_all, mean, ndcg, recall, reciprocal_rank

JUDGED = {"a": 1.0, "b": 0.5, "c": 0.0, "d": 0.0}


def test_ndcg_is_the_discounted_gain_over_that_of_the_best_ranking() -> None:
    # b, then nothing, then a: .5 / log2(2) + 1 / log2(4) = 1; the best is 1 / log2(2) + .5 / log2(3).
    gains = gains_of(["b", "x", "a"], JUDGED)

    assert gains == [0.5, 0.0, 1.0]
    assert ndcg(gains, JUDGED.values()) == pytest.approx(1 / (1 + 0.5 / log2(3)))
    assert ndcg(gains, JUDGED.values()) == pytest.approx(0.760188, abs=1e-6)
    assert ndcg([1.0, 0.5], JUDGED.values()) == 1.0
    assert ndcg([], JUDGED.values()) == 0.0


def test_places_after_the_depth_count_neither_in_the_ranking_nor_in_the_best_one() -> None:
    assert ndcg([0.0] * 10 + [1.0], [1.0]) == 0.0
    assert ndcg([1.0] * 10, [1.0] * 50) == 1.0
    assert ndcg([0.0, 1.0], [1.0, 1.0], depth=1) == 0.0


def test_what_a_ranking_of_the_judged_lacks_is_expected_after_it() -> None:
    # d is found; of a, b and c, which are in no order, each place expects (1 + .5 + 0) / 3.
    gains = gains_of_all(["d"], JUDGED)

    assert gains == [0.0, 0.5, 0.5, 0.5]
    assert ndcg(gains, JUDGED.values()) == pytest.approx((0.5 / log2(3) + 0.25 + 0.5 / log2(5)) / (1 + 0.5 / log2(3)))
    assert gains_of_all(["a", "b", "c", "d"], JUDGED) == [1.0, 0.5, 0.0, 0.0]


def test_the_first_place_with_a_gain_is_the_reciprocal_rank() -> None:
    assert [reciprocal_rank(gains) for gains in ([1.0], [0.0, 0.1, 1.0], [0.0], [])] == [1.0, 0.5, 0.0, 0.0]


def test_recall_is_the_share_of_those_with_a_gain() -> None:
    assert recall([1.0, 0.0, 0.5], JUDGED.values(), 2) == 0.5
    assert recall([1.0, 0.0, 0.5], JUDGED.values(), 3) == 1.0


def test_a_query_without_a_gain_and_a_mean_of_nothing_are_not_defined() -> None:
    with pytest.raises(ValueError, match="no product has a gain"):
        ndcg([0.0], [0.0])
    with pytest.raises(ValueError, match="no product has a gain"):
        recall([0.0], [0.0], 10)
    with pytest.raises(ValueError, match="mean of no values"):
        mean([])
