"""Variety of categories: a cap, never a shorter answer."""

import numpy as np

from serving.recommender.rules import spread_categories

CODES = np.array([0, 0, 0, 0, 1, 1, 2], dtype=np.int32)


def test_at_most_the_share_of_one_category_while_others_have_candidates() -> None:
    assert spread_categories(range(7), CODES, limit=5, share=0.4) == [0, 1, 4, 5, 6]


def test_the_passed_over_follow_in_their_old_order_when_the_others_run_out() -> None:
    assert spread_categories(range(7), CODES, limit=7, share=0.1) == [0, 1, 4, 5, 6, 2, 3]


def test_one_category_keeps_the_models_order() -> None:
    assert spread_categories([3, 0, 2], CODES, limit=3, share=0.4) == [3, 0, 2]


def test_a_limit_above_the_candidates_gives_them_all() -> None:
    assert spread_categories([6], CODES, limit=100, share=0.4) == [6]
