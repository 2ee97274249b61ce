"""MLflow: one run per fit, the registry model, the alias `champion` and the file pointer that serving reads.

mlflow takes 12 s to import, so it is imported inside the functions.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient

from training.recommender.fit import Fitted
from training.registry.bundle import promote

MODEL = "souk-recommender"
ALIAS = "champion"
EXPERIMENT = "souk-recommender"
POINTER = "champion.json"


@dataclass(frozen=True)
class Registered:
    """What happened to a candidate. champion: the bundle version that serves now, None when nothing was ever good
    enough."""

    run_id: str
    model_version: str
    promoted: bool
    reason: str
    champion: str | None


def client_of(tracking_uri: str) -> MlflowClient:
    """A client of the store at `tracking_uri`; a SQLite file's folder is made first."""
    from mlflow.tracking import MlflowClient

    if tracking_uri.startswith("sqlite:///"):
        Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Both stores by name: mlflow.set_tracking_uri would write the address into this process's environment, for
    # everybody.
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def register(
    client: MlflowClient, fitted: Fitted, bundle: Path, decision: tuple[bool, str], artifacts: Path
) -> Registered:
    """Log the run, register the bundle as a model version, move the alias and the pointer when `decision` says so.

    decision: (promote, why). The pointer moves last: serving never sees a bundle that the registry does not know.
    """
    wanted, reason = decision
    run_id = _log_run(client, fitted, bundle, reason, artifacts)
    version = _register_version(client, run_id, bundle)
    if wanted:
        client.set_registered_model_alias(MODEL, ALIAS, version)
        promote(bundle.parent / POINTER, bundle)
    return Registered(run_id, version, wanted, reason, champion_of(bundle.parent))


def rollback(client: MlflowClient, models: Path, version: str) -> Path:
    """Put the alias and the pointer back on a registered model version; returns its bundle.

    Raises FileNotFoundError when that version's bundle is gone from `models`.
    """
    tags = client.get_model_version(MODEL, version).tags
    bundle = models / tags["bundle"]
    if not (bundle / "bundle.json").is_file():
        raise FileNotFoundError(f"bundle {bundle.name} of model version {version} is not in {models}")
    client.set_registered_model_alias(MODEL, ALIAS, version)
    promote(models / POINTER, bundle)
    return bundle


def champion_of(models: Path) -> str | None:
    """The version of the bundle the pointer names, None before the first promotion."""
    pointer = models / POINTER
    return str(json.loads(pointer.read_text())["path"]) if pointer.is_file() else None


def _log_run(client: MlflowClient, fitted: Fitted, bundle: Path, reason: str, artifacts: Path) -> str:
    """One finished run with parameters, metrics, tags and the bundle's files."""
    from mlflow.entities import Metric, Param, RunTag

    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = (
        found.experiment_id
        if found
        else client.create_experiment(EXPERIMENT, artifact_location=artifacts.resolve().as_uri())
    )
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
        "decision": reason,
    }
    run = client.create_run(experiment, tags=tags, run_name=bundle.name)
    moment = run.info.start_time
    metrics = [Metric(_key(name), value, moment, 0) for name, value in document["metrics"].items()]
    params = [Param(name, str(value)[:500]) for name, value in _flat(document["recipe"])]
    params += [Param(f"choices.{name}", str(value)) for name, value in _flat(document["choices"])]
    for start in range(0, len(metrics), 500):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + 500])
    for start in range(0, len(params), 90):
        client.log_batch(run.info.run_id, params=params[start : start + 90])
    client.log_batch(run.info.run_id, tags=[RunTag("phase_cpu_seconds", json.dumps(fitted.seconds))])
    client.log_artifacts(run.info.run_id, str(bundle), "bundle")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _register_version(client: MlflowClient, run_id: str, bundle: Path) -> str:
    """A new version of the registry model whose source is the run's bundle."""
    if not client.search_registered_models(filter_string=f"name = '{MODEL}'"):
        client.create_registered_model(
            MODEL, description="Souk's recommender bundles; training/README.md gives the format."
        )
    source = f"{client.get_run(run_id).info.artifact_uri}/bundle"
    version = client.create_model_version(MODEL, source, run_id, tags={"bundle": bundle.name}, await_creation_for=0)
    return str(version.version)


def _flat(document: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """Nested dicts as dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in document.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return rows


def _key(name: str) -> str:
    """MLflow metric names allow no @ and no +."""
    return name.replace("@", "_at_").replace("+", "_or_more")


def prune(models: Path, keep: int) -> list[str]:
    """Remove the oldest bundles beyond `keep`, never the champion; returns the removed versions."""
    champion = champion_of(models)
    bundles = sorted(path for path in models.iterdir() if (path / "bundle.json").is_file())
    removed = [path.name for path in bundles[: max(len(bundles) - keep, 0)] if path.name != champion]
    for name in removed:
        shutil.rmtree(models / name)
    return removed
