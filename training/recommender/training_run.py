"""One training run: fit, bundle, register, promote. Dagster and `python -m training.recommender.train` call `run`."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from training.data.datasets import TrainingData
from training.recommender.bundle import MODEL, write_bundle
from training.recommender.champion import judge_promotion
from training.recommender.fit import Fitted, fit
from training.recommender.recipes import RECIPES, Recipe
from training.registry.pointer import champion_of, prune
from training.registry.register import RunRecord, client_of, register
from training.settings import TrainingSettings

KEPT_BUNDLES = 5
HEADLINES = (
    "test/popularity/ndcg@10",
    "test/item_to_item/ndcg@10",
    "test/shipped/ndcg@10",
    "test/shipped/recall@10",
    "test/shipped/coverage@10",
)


class AlreadyTraining(RuntimeError):
    """Another process trains into the same folder."""


@dataclass(frozen=True)
class TrainResult:
    """The result of a run.

    bundle: directory. headline: the main figures. promoted, reason: whether the bundle became champion, and why.
    """

    bundle: Path
    version: str
    shipped: str
    promoted: bool
    reason: str
    champion: str | None
    run_id: str
    model_version: str
    watermark_lsn: int
    events: int
    products: int
    users: int
    cpu_seconds: float
    peak_mb: float
    headline: dict[str, float]


def run(
    data: TrainingData, settings: TrainingSettings, recipe: Recipe | None = None, now: datetime | None = None
) -> TrainResult:
    """Fit on `data`, write the bundle under $SOUK_HOME/models, log to MLflow, promote by the promotion rule.

    Raises TooFewPurchases when the data leave no validation case, AlreadyTraining while another run uses the folder;
    nothing is written then.
    """
    settings.models.mkdir(parents=True, exist_ok=True)
    with _alone(settings.models):
        return _run(data, settings, recipe or RECIPES[settings.recipe_name](), now or datetime.now(UTC))


@contextmanager
def _alone(models: Path) -> Iterator[None]:
    """Lock the folder for one training run, then remove the files of a killed run. The lock ends with the process."""
    with (models / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyTraining(f"{models}: another training run is at work; wait for it to end") from error
        for left in models.glob(".*.part"):
            shutil.rmtree(left)
        yield


def _run(data: TrainingData, settings: TrainingSettings, recipe: Recipe, now: datetime) -> TrainResult:
    models = settings.models
    workspace = models / ".work"
    workspace.mkdir(exist_ok=True)
    fitted = fit(data, recipe, workspace)
    current = champion_of(models)
    decision = judge_promotion(fitted, models / current if current and (models / current).is_dir() else None)
    bundle = write_bundle(fitted, models, now)
    artifacts = settings.mlflow_folder / "artifacts"
    registered = register(client_of(settings.tracking_uri), MODEL, _record(fitted, bundle), decision, artifacts)
    prune(models, KEPT_BUNDLES)
    return TrainResult(
        bundle=bundle,
        version=bundle.name,
        shipped=fitted.choices.shipped,
        promoted=registered.promoted,
        reason=registered.reason,
        champion=registered.champion,
        run_id=registered.run_id,
        model_version=registered.model_version,
        watermark_lsn=data.watermark_lsn,
        events=len(data.events),
        products=len(data.catalog),
        users=len(data.user_ids),
        cpu_seconds=round(fitted.metrics["cpu_seconds"], 2),
        peak_mb=round(fitted.metrics["peak_mb"], 1),
        headline={name: fitted.metrics[name] for name in HEADLINES if name in fitted.metrics},
    )


def _record(fitted: Fitted, bundle: Path) -> RunRecord:
    """What is logged to MLflow, from the bundle's own document."""
    document = json.loads((bundle / "bundle.json").read_text())
    tags = {
        "bundle": bundle.name,
        "watermark_lsn": str(fitted.data.watermark_lsn),
        "data": fitted.data.name,
        "data_hash": document["dataHash"],
        "git_commit": document["gitCommit"],
        "columns_hash": document["columnsHash"],
        "shipped": fitted.choices.shipped,
        "split": fitted.split,
        "ties": "expected rank",
        "history": "removed from the ranking",
    }
    parameters = {**document["recipe"], "choices": document["choices"]}
    return RunRecord(bundle, tags, document["metrics"], parameters, fitted.seconds)
