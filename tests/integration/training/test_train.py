"""One whole run on a small shop: bundle, MLflow, promotion, refusal, rollback, repetition."""

import fcntl
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from serving.bundle.read import BundleRefused, load_bundle
from tests.unit.training import orders
from tests.unit.training.orders import COLUMNS, START, hot_shop, shop
from training.data.datasets import TooFewPurchases
from training.data.splits import time_split
from training.judging.scores import judge
from training.recommender.bundle import MODEL, write_bundle
from training.recommender.fit import fit
from training.recommender.models.retrieval import SCORE_INPUTS, propose
from training.recommender.models.sequential import fit_sequential
from training.recommender.ranking import RankedScorer
from training.recommender.recipes import tiny
from training.recommender.training_run import AlreadyTraining, TrainResult, run
from training.registry.pointer import champion_of
from training.registry.register import ALIAS, client_of, rollback
from training.settings import TrainingSettings

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TrainingSettings:
    """A home of its own with a SQLite MLflow store."""
    return TrainingSettings(home=tmp_path_factory.mktemp("home"), profile="test")


@pytest.fixture(scope="module")
def first(settings: TrainingSettings) -> TrainResult:
    """The first run: there is no champion yet."""
    return run(shop(), settings)


def test_the_first_good_model_becomes_champion(settings: TrainingSettings, first: TrainResult) -> None:
    assert first.promoted, first.reason
    assert champion_of(settings.models) == first.version
    client = client_of(settings.tracking_uri)
    alias = client.get_model_version_by_alias(MODEL, ALIAS)
    assert (str(alias.version), alias.run_id) == (first.model_version, first.run_id)
    logged = client.get_run(first.run_id).data
    assert logged.tags["watermark_lsn"] == "1000"
    assert logged.tags["data_hash"] == shop().data_hash()
    assert logged.metrics["test/shipped/ndcg_at_10"] == pytest.approx(first.headline["test/shipped/ndcg@10"])
    assert first.headline["test/shipped/ndcg@10"] > first.headline["test/popularity/ndcg@10"]


def test_the_store_of_one_run_is_not_the_whole_process_s(first: TrainResult) -> None:
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_two_runs_never_write_one_folder(settings: TrainingSettings, first: TrainResult) -> None:
    with (settings.models / ".lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(AlreadyTraining, match="another training run is at work"):
            run(shop(), settings)


def test_the_bundle_is_what_the_readme_says(first: TrainResult) -> None:
    document = json.loads((first.bundle / "bundle.json").read_text())
    items = pl.read_parquet(first.bundle / "items.parquet")

    assert document["formatVersion"] == 1
    assert document["columns"] == ["product__orders_7d", "product__price", "user__orders_365d"]
    assert document["columnsHash"] == "hash-of-three-columns"
    assert set(document["files"]) == {path.name for path in first.bundle.iterdir()} - {"bundle.json"}
    assert not items.filter(pl.col("product_id") == "postage")["recommendable"][0]
    with np.load(first.bundle / "for_you.npz", allow_pickle=False) as arrays:
        assert arrays["indices"].shape == arrays["scores"].shape == arrays["support"].shape
        assert arrays["indices"].shape[0] == items.height
        assert (np.diff(arrays["scores"], axis=1) <= 0).all()
        assert int(np.flatnonzero(items["product_id"].to_numpy() == "postage")[0]) not in arrays["indices"]
    if document["shipped"] == "ranker":
        assert document["rankerInputs"] == [*SCORE_INPUTS, *document["columns"]]


@pytest.mark.slow
def test_the_same_seed_and_data_give_the_same_numbers_and_newer_data_at_equal_quality_moves_on(
    settings: TrainingSettings, first: TrainResult
) -> None:
    again = run(shop(), settings)

    assert again.headline == first.headline
    # the same rows again are no reason to change what serves
    assert not again.promoted, again.reason
    assert champion_of(settings.models) == first.version
    newer = run(shop(lsn=2000), settings)
    assert newer.promoted, newer.reason
    client = client_of(settings.tracking_uri)
    assert rollback(client, MODEL, settings.models, first.model_version) == first.bundle
    assert champion_of(settings.models) == first.version
    assert client.get_model_version_by_alias(MODEL, ALIAS).run_id == first.run_id


def test_the_shipped_ranker_reads_its_features() -> None:
    data = hot_shop()
    cases = time_split(data).test
    fitted = fit(data, tiny())
    ranker = fitted.ranker
    assert fitted.choices.shipped == "ranker", fitted.metrics
    assert ranker is not None
    assert data.features is not None
    plain = RankedScorer(fitted.retrieval, ranker, tiny().ranker)(cases)

    shuffled = replace(fitted.retrieval, features=orders.shuffled(data.features, "product__orders_7d", 1))
    answers = RankedScorer(shuffled, ranker, tiny().ranker)(cases)

    assert (np.argsort(-answers, axis=1)[:, :10] != np.argsort(-plain, axis=1)[:, :10]).any(axis=1).mean() > 0.5
    right = judge(RankedScorer(fitted.retrieval, ranker, tiny().ranker), cases, data.catalog).values["ndcg@10"].mean()
    wrong = judge(RankedScorer(shuffled, ranker, tiny().ranker), cases, data.catalog).values["ndcg@10"].mean()
    assert wrong < right
    # the negative control: a column of equal values changes nothing
    untouched = replace(fitted.retrieval, features=orders.shuffled(data.features, "product__price", 1))
    assert np.array_equal(RankedScorer(untouched, ranker, tiny().ranker)(cases), plain)


def test_a_purchase_of_the_future_never_enters_the_models_of_the_split_time() -> None:
    """Plant lines after the test start that would tie two departments together; what is fitted before it must not
    know them."""
    late = START + timedelta(days=59, hours=23)
    planted = pl.DataFrame(
        [
            {
                "order_id": f"x{n}",
                "user_id": None,
                "product_id": product,
                "ordered_at": late,
                "quantity": 1,
                "is_cancelled": False,
            }
            for n in range(40)
            for product in ("p000", "p001")
        ]
    )
    data = shop(extra=planted)

    fitted = fit(data, tiny())

    row, column = data.catalog.index["p000"], data.catalog.index["p001"]
    assert fitted.tested.tables.for_you.support[row, column] == 0
    # the negative control: what ships is fitted on everything and knows them
    assert fitted.tables.for_you.support[row, column] > 0


def test_serving_loads_a_bundle_with_both_networks_and_gives_the_same_numbers(tmp_path: Path) -> None:
    data = hot_shop()
    fitted = fit(data, tiny())
    sequence = fit_sequential(data.events, len(data.catalog), tiny().sequential, 1)
    both = replace(fitted, retrieval=replace(fitted.retrieval, sequential=sequence))

    folder = write_bundle(both, tmp_path, datetime(2026, 3, 1, tzinfo=UTC))

    loaded = load_bundle(folder, "hash-of-three-columns", frozenset(COLUMNS))
    cases = time_split(data).test.take(np.arange(3))
    assert loaded.sequential is not None
    assert loaded.ranker is not None
    assert fitted.ranker is not None
    for case, ours in enumerate(sequence.score(cases)):
        assert loaded.sequential.score(cases.history.of(case)) == pytest.approx(ours, abs=1e-4)
    candidates = propose(fitted.retrieval, cases, tiny().ranker)
    assert loaded.ranker.score(candidates.inputs[0]) == pytest.approx(
        fitted.ranker.score(candidates.inputs)[0], abs=1e-5
    )
    # the negative control: one changed byte and the bundle is refused
    changed = bytearray((folder / "ranker.npz").read_bytes())
    changed[-1] ^= 1
    (folder / "ranker.npz").write_bytes(changed)
    with pytest.raises(BundleRefused, match=r"ranker\.npz is not what was written"):
        load_bundle(folder, "hash-of-three-columns", frozenset(COLUMNS))


def test_nothing_to_validate_on_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    data = shop()
    one_day = replace(data, events=data.events.where(data.events.time < data.events.time.min() + 0.5))
    settings = TrainingSettings(home=tmp_path, profile="test")

    with pytest.raises(TooFewPurchases, match="no validation case"):
        run(one_day, settings, now=datetime(2026, 3, 1, tzinfo=UTC))

    assert champion_of(settings.models) is None
    assert not [path for path in settings.models.iterdir() if path.is_dir() and path.name != ".work"]
