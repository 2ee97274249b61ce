"""One bundle, two readers: what serving proposes, feeds the ranker and answers is what training measured, number by
number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from features.columns import columns_hash
from serving.arrays import Floats
from serving.bundle.read import Bundle, BundleRefused, load_bundle
from serving.recommender.assortment import Assortment, build_assortment
from serving.recommender.product_features import ProductFeatures
from serving.recommender.rank import ranker_matrix
from serving.recommender.retrieve import Candidates, best_of, make_seeds, propose
from tests.unit.training import orders
from tests.unit.training.orders import COLUMNS, shop
from training.data.cases import Cases
from training.data.datasets import FeatureTable
from training.data.splits import time_split
from training.recommender.bundle import write_bundle
from training.recommender.fit import Fitted, fit
from training.recommender.models.ranker import fit_ranker
from training.recommender.models.retrieval import propose as propose_in_training
from training.recommender.models.sequential import fit_sequential
from training.recommender.ranking import propose_all
from training.recommender.recipes import tiny

pytestmark = pytest.mark.timeout(300)
PRODUCT_COLUMNS = COLUMNS[:2]


@dataclass(frozen=True)
class World:
    """A fitted ranker with a sequence model, its bundle as serving reads it, and cases to ask both about."""

    fitted: Fitted
    bundle: Bundle
    assortment: Assortment
    cases: Cases


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    data, recipe = shop(), tiny()
    plain = fit(data, recipe)
    sequential = fit_sequential(data.events, len(data.catalog), recipe.sequential, recipe.seed)
    retrieval = replace(plain.retrieval, sequential=sequential)
    cases = time_split(data).test
    ranker = fit_ranker(propose_all(retrieval, cases, recipe.ranker), retrieval.inputs, recipe.ranker, recipe.seed)
    fitted = replace(
        plain,
        retrieval=retrieval,
        ranker=ranker,
        choices=replace(plain.choices, shipped="ranker", with_sequential=True),
    )
    folder = write_bundle(fitted, tmp_path_factory.mktemp("models"), datetime(2026, 3, 2, tzinfo=UTC))
    bundle = load_bundle(folder, "hash-of-three-columns", frozenset(COLUMNS))
    assert data.features is not None
    return World(fitted, bundle, assortment_of(bundle, data.features, cases.moment), cases)


def assortment_of(bundle: Bundle, features: FeatureTable, moment: float) -> Assortment:
    """All products in stock, with the feature values of a moment."""
    values = features.as_of("product", bundle.item_ids, moment)
    size = len(bundle.item_ids)
    features_now = ProductFeatures(
        product_ids=bundle.item_ids,
        columns=PRODUCT_COLUMNS,
        values_PF=values,
        in_stock_P=np.ones(size, dtype=bool),
        popularity_P=np.zeros(size, dtype=np.float32),
        categories=("",) * size,
        unknown_product=dict.fromkeys(PRODUCT_COLUMNS, 0.0),
        unknown_shopper={},
        place={product: row for row, product in enumerate(bundle.item_ids)},
    )
    return build_assortment(bundle, features_now)


def candidates_in_serving(world: World, case: int) -> Candidates:
    history, ages = world.cases.history.of(case), world.cases.ages.of(case)
    seeds = make_seeds(world.assortment, history.tolist(), ages.tolist(), recent=[])
    allowed_N = world.assortment.sellable_N.copy()
    allowed_N[history] = False
    assert world.bundle.sequential is not None
    return propose(world.bundle, allowed_N, seeds, world.bundle.sequential.score(seeds.items_L), at_least=1)


def scores_in_serving(world: World, case: int, assortment: Assortment) -> tuple[Candidates, Floats]:
    candidates = candidates_in_serving(world, case)
    assert world.bundle.ranker is not None
    inputs = ranker_matrix(world.bundle.ranker.inputs, assortment, shopper(world, case), candidates)
    return candidates, world.bundle.ranker.score(inputs)


def shopper(world: World, case: int) -> dict[str, float]:
    features = world.fitted.data.features
    assert features is not None
    user = world.fitted.data.user_ids[world.cases.users[case]]
    return {"user__orders_365d": float(features.as_of("user", [user], world.cases.moment)[0, 0])}


def some(cases: Cases) -> Sequence[int]:
    return range(0, len(cases), max(len(cases) // 20, 1))


def test_both_propose_the_same_products_with_the_same_inputs_and_scores(world: World) -> None:
    assert world.fitted.ranker is not None
    ranker = world.bundle.ranker
    assert ranker is not None
    for case in some(world.cases):
        ours, scores = scores_in_serving(world, case, world.assortment)

        theirs = propose_in_training(
            world.fitted.retrieval, world.cases.take(np.array([case])), world.fitted.recipe.ranker
        )
        present = theirs.present[0]
        assert ours.items_C.tolist() == theirs.items[0][present].tolist()
        inputs = ranker_matrix(ranker.inputs, world.assortment, shopper(world, case), ours)
        np.testing.assert_allclose(inputs, theirs.inputs[0][present], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(scores, world.fitted.ranker.score(theirs.inputs[0][present]), rtol=1e-3, atol=1e-3)


def test_the_bundle_remembers_every_shopper_as_training_saw_him(world: World) -> None:
    known = world.bundle.histories.of("u001")

    assert known is not None
    events = world.fitted.data.events
    mine = events.item[events.user == world.fitted.data.user_ids.index("u001")]
    assert set(known[0].tolist()) == set(mine.tolist())
    assert known[0][-1] == mine[-1]
    assert known[1].min() == 0
    assert (np.diff(known[1]) <= 0).all()


def test_shuffling_one_product_feature_changes_the_ranked_answers(world: World) -> None:
    features = world.fitted.data.features
    assert features is not None
    shuffled = assortment_of(world.bundle, orders.shuffled(features, "product__orders_7d", seed=9), world.cases.moment)
    again = assortment_of(world.bundle, features, world.cases.moment)

    changed = [case for case in some(world.cases) if top(world, case, world.assortment) != top(world, case, shuffled)]

    assert changed
    # the control: the same values give the same answers
    assert all(top(world, case, world.assortment) == top(world, case, again) for case in some(world.cases))


def test_a_bundle_of_other_columns_is_refused_and_one_without_a_ranker_needs_none(world: World, tmp_path: Path) -> None:
    neighbours_alone = replace(
        world.fitted,
        data=replace(world.fitted.data, features=None),
        ranker=None,
        choices=replace(world.fitted.choices, shipped="item_to_item"),
    )
    folder = write_bundle(neighbours_alone, tmp_path, datetime.now(UTC))

    assert load_bundle(folder, columns_hash(), frozenset(COLUMNS)).ranker is None
    other = write_bundle(world.fitted, tmp_path, datetime.now(UTC))
    with pytest.raises(BundleRefused, match="fitted on feature columns hash-of-three-columns, this process has other"):
        load_bundle(other, "other", frozenset(COLUMNS))
    with pytest.raises(BundleRefused, match="unknown columns"):
        load_bundle(other, "hash-of-three-columns", frozenset())


def top(world: World, case: int, assortment: Assortment) -> list[int]:
    candidates, scores = scores_in_serving(world, case, assortment)
    return [int(item) for item in candidates.items_C[best_of(scores, 10)]]
