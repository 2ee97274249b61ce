"""Seeds, blending and the choice of candidates on tables small enough to compute by hand."""

import numpy as np
import pytest

from serving.bundle.neighbours import Neighbours
from serving.bundle.read import SCORE_INPUTS
from serving.recommender.retrieve import best_of, item_to_item_scores, make_seeds, propose
from tests.harness.bundles import make_assortment, make_bundle


def test_a_session_counts_as_one_order_newer_than_the_history() -> None:
    assortment = make_assortment(make_bundle())

    seeds = make_seeds(assortment, items=[0, 1, 2], ages=[2, 1, 0], recent=["p4", "p1"])

    assert seeds.items_L.tolist() == [0, 2, 4, 1]
    assert seeds.ages_L.tolist() == [3, 1, 0, 0]
    assert seeds.recent_L.tolist() == [False, False, True, True]
    assert seeds.weights(0.5).tolist() == [0.125, 0.5, 1.0, 1.0]


def test_a_product_seen_twice_counts_once_at_its_last_place_and_unknown_ones_are_left_out() -> None:
    assortment = make_assortment(make_bundle())

    seeds = make_seeds(assortment, items=[], ages=[], recent=["p1", "nobody-knows", "p2", "p1"])

    assert seeds.items_L.tolist() == [2, 1]


def test_item_to_item_sums_decayed_rows() -> None:
    bundle = make_bundle(decay=0.5)
    assortment = make_assortment(bundle)
    seeds = make_seeds(assortment, items=[0, 1], ages=[1, 0], recent=[])

    scores_N = item_to_item_scores(bundle, seeds)

    # row 0: p1 .9, p2 .6; row 1: p0 .9, p2 .5, p3 .2
    assert scores_N.tolist() == pytest.approx([0.9, 0.45, 0.3 + 0.5, 0.2, 0.0, 0.0])


def test_neighbours_name_the_seed_that_gave_most() -> None:
    bundle = make_bundle()
    items = np.array([2, 3, 5], dtype=np.int32)

    causes = bundle.for_you.causes(np.array([0, 1], dtype=np.int32), np.array([0.5, 1.0], dtype=np.float32), items)

    assert causes.tolist() == [1, 1, -1]  # p2: .3 from p0, .5 from p1; p3 only from p1; p5 from neither


def test_padding_scores_nothing() -> None:
    table = Neighbours(np.full((2, 2), -1, np.int32), np.zeros((2, 2), np.float32), np.zeros((2, 2), bool))
    total_N = np.zeros(2, dtype=np.float32)

    table.add_to(total_N, np.array([0], dtype=np.int32), np.ones(1, dtype=np.float32))

    assert total_N.tolist() == [0.0, 0.0]


def test_candidates_are_the_union_of_what_each_retriever_likes_best() -> None:
    bundle = make_bundle(candidates={"itemToItem": 1, "sequential": 1, "popularity": 1})
    seeds = make_seeds(make_assortment(bundle), items=[0], ages=[0], recent=[])
    allowed_N = np.array([False, True, True, True, True, True])

    candidates = propose(bundle, allowed_N, seeds, np.array([9, 0, 0, 0, 3, 1], dtype=np.float32), at_least=1)

    assert candidates.items_C.tolist() == [
        1,
        4,
    ]  # p1: nearest of p0 and most popular; p4: the sequence model's best that is allowed
    assert candidates.sequential_C.tolist() == [False, True]
    assert candidates.inputs["item_to_item"].tolist() == [1.0, 0.0]
    assert candidates.inputs["sequential"].tolist() == [0.0, 3.0]
    assert candidates.inputs["history_size"].tolist() == pytest.approx([np.log(2)] * 2)
    assert candidates.inputs["popularity_recent"].tolist() == pytest.approx([np.log(5.5 / 6.5), np.log(2.5 / 6.5)])
    assert tuple(candidates.inputs) == SCORE_INPUTS


def test_without_the_sequence_model_its_input_is_what_a_uniform_guess_says() -> None:
    bundle = make_bundle()
    seeds = make_seeds(make_assortment(bundle), items=[0], ages=[0], recent=[])

    candidates = propose(bundle, np.ones(6, dtype=bool), seeds, None, at_least=1)

    assert candidates.inputs["sequential"].tolist() == [0.0] * 6
    assert not candidates.sequential_C.any()


def test_a_request_for_more_than_the_recipe_proposes_gets_more() -> None:
    bundle = make_bundle(candidates={"itemToItem": 1, "sequential": 1, "popularity": 1})
    seeds = make_seeds(make_assortment(bundle), items=[0], ages=[0], recent=[])

    assert propose(bundle, np.ones(6, dtype=bool), seeds, None, at_least=100).items_C.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("count", [1, 3, 4, 10])
def test_best_of_is_a_stable_sort(count: int) -> None:
    scores_N = np.array([1, 3, 3, 2, 3], dtype=np.float32)

    assert best_of(scores_N, count).tolist() == [1, 2, 4, 3, 0][:count]
