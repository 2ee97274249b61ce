"""Ranks, metrics and intervals against numbers worked out by hand."""

import numpy as np
import pytest

from training.judging.metrics import case_metrics, expected_ranks, interval, top_items


def test_a_tie_counts_its_expected_rank_and_never_favours_the_target() -> None:
    scores = np.array([[3.0, 1.0, 1.0, 1.0, 0.0]], dtype=np.float32)

    ranks = expected_ranks(scores, np.zeros(3, dtype=np.int64), np.array([0, 2, 4]))

    assert ranks.tolist() == [0.0, 2.0, 4.0]


def test_what_may_not_be_shown_is_never_a_hit() -> None:
    scores = np.array([[-np.inf, 1.0, -np.inf]], dtype=np.float32)

    assert expected_ranks(scores, np.zeros(1, dtype=np.int64), np.array([0])).tolist() == [np.inf]


def test_recall_and_ndcg_of_several_targets() -> None:
    ranks, owner = np.array([0.0, 2.0, 50.0, 7.0]), np.array([0, 0, 0, 1])

    found = case_metrics(ranks, owner, 2)

    assert found["recall@5"].tolist() == pytest.approx([2 / 3, 0.0])
    assert found["recall@10"].tolist() == pytest.approx([2 / 3, 1.0])
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert found["ndcg@10"].tolist() == pytest.approx([(1 + 1 / np.log2(4)) / ideal, 1 / np.log2(9)])


def test_the_interval_holds_the_mean_and_repeats() -> None:
    values = np.random.default_rng(0).random(500)

    found = interval(values, 1)

    assert found.low < found.mean < found.high
    assert found == interval(values, 1)
    assert interval(values - values, 1).high == 0.0


def test_top_items_break_ties_by_index() -> None:
    assert top_items(np.array([[1.0, 2.0, 1.0, 1.0]], dtype=np.float32), 3).tolist() == [[1, 0, 2]]
