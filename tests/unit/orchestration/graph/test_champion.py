"""The champion as the platform sees it, before and after the first promotion."""

import json
from pathlib import Path

import dagster as dg
import pytest

from orchestration.graph.assets.training import recommender
from orchestration.graph.champion import Champion, Judged, confirm_champion, judged_champion
from orchestration.graph.queues import DATA, QUEUE, TRAINING
from orchestration.graph.resources import Platform
from training.data import readers
from training.data.datasets import TooFewPurchases


def test_before_the_first_promotion_there_is_nothing_to_confirm(tmp_path: Path) -> None:
    assert confirm_champion(tmp_path, "http://127.0.0.1:9") == Champion(None, None, 0.0)
    assert judged_champion(tmp_path) is None


def test_serving_that_is_down_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "champion.json").write_text(json.dumps({"path": "one", "version": "one"}))
    found = confirm_champion(tmp_path, "http://127.0.0.1:9")
    assert (found.version, found.serving) == ("one", None)


def test_the_figures_are_the_bundles(tmp_path: Path) -> None:
    metrics = {"test/shipped/ndcg@10": 0.15, "test/popularity/ndcg@10": 0.08}
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "bundle.json").write_text(json.dumps({"shipped": "ranker", "metrics": metrics}))
    (tmp_path / "champion.json").write_text(json.dumps({"path": "one", "version": "one"}))
    assert judged_champion(tmp_path) == Judged("ranker", 0.15, 0.08)


def test_a_young_shop_goes_on_without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_few(_: object) -> None:
        raise TooFewPurchases("lake: no validation case")

    monkeypatch.setattr(readers, "read_inputs", too_few)
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([recommender], instance=instance, resources={"platform": Platform()}, tags={QUEUE: DATA})
        run = instance.get_run_by_id(done.run_id)

    [made] = done.asset_materializations_for_node("recommender")
    figures = {name: value.value for name, value in made.metadata.items()}
    assert figures == {"promoted": False, "reason": "lake: no validation case"}
    assert run is not None
    assert run.tags[QUEUE] == TRAINING  # from the step's begin on, a refresh does not wait for this run
