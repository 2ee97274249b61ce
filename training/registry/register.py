"""MLflow: one run per fit, the registry model, the alias `champion` and the file pointer that serving reads.

mlflow takes 12 s to import, so it is imported inside the functions.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.registry.pointer import champion_of, promote

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ALIAS = "champion"


@dataclass(frozen=True)
class RunRecord:
    """What is logged to MLflow. parameters: may be nested; names are then dotted. seconds: CPU seconds by phase."""

    bundle: Path
    tags: dict[str, str]
    metrics: dict[str, float]
    parameters: dict[str, object]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Registered:
    """Whether a candidate was promoted. champion: the bundle version that serves now, None before any promotion."""

    run_id: str
    model_version: str
    promoted: bool
    reason: str
    champion: str | None


def client_of(tracking_uri: str) -> "MlflowClient":
    """A client of the store at `tracking_uri`; a SQLite file's folder is made first."""
    from mlflow.tracking import MlflowClient

    if tracking_uri.startswith("sqlite:///"):
        Path(tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # Both stores are passed by name: mlflow.set_tracking_uri would write the address into the process's environment.
    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def register(
    client: "MlflowClient", model: str, record: RunRecord, decision: tuple[bool, str], artifacts: Path
) -> Registered:
    """Log the run, register its bundle as a version of `model`, and move the alias and the pointer when promoted.

    decision: (promote, why). The pointer moves last, so serving never reads a bundle that the registry does not have.
    """
    wanted, reason = decision
    run_id = _log_run(client, model, record, reason, artifacts)
    version = _register_version(client, model, run_id, record.bundle)
    if wanted:
        client.set_registered_model_alias(model, ALIAS, version)
        promote(record.bundle)
    return Registered(run_id, version, wanted, reason, champion_of(record.bundle.parent))


def rollback(client: "MlflowClient", model: str, models: Path, version: str) -> Path:
    """Put the alias and the pointer back on a registered model version; returns its bundle.

    Raises FileNotFoundError when that version's bundle is gone from `models`.
    """
    tags = client.get_model_version(model, version).tags
    bundle = models / tags["bundle"]
    if not (bundle / "bundle.json").is_file():
        raise FileNotFoundError(f"bundle {bundle.name} of model version {version} is not in {models}")
    client.set_registered_model_alias(model, ALIAS, version)
    promote(bundle)
    return bundle


def _log_run(client: "MlflowClient", model: str, record: RunRecord, reason: str, artifacts: Path) -> str:
    """One finished run with parameters, metrics, tags and the bundle's files, in the experiment named after the
    model."""
    from mlflow.entities import Metric, Param, RunTag

    found = client.get_experiment_by_name(model)
    experiment = (
        found.experiment_id
        if found
        else client.create_experiment(model, artifact_location=artifacts.resolve().as_uri())
    )
    run = client.create_run(experiment, tags=record.tags | {"decision": reason}, run_name=record.bundle.name)
    run_id, moment = str(run.info.run_id), run.info.start_time
    metrics = [Metric(_key(name), value, moment, 0) for name, value in record.metrics.items()]
    params = [Param(name, str(value)[:500]) for name, value in _flat(record.parameters)]
    for start in range(0, len(metrics), 500):
        client.log_batch(run_id, metrics=metrics[start : start + 500])
    for start in range(0, len(params), 90):
        client.log_batch(run_id, params=params[start : start + 90])
    client.log_batch(run_id, tags=[RunTag("phase_cpu_seconds", json.dumps(record.seconds))])
    client.log_artifacts(run_id, str(record.bundle), "bundle")
    client.set_terminated(run_id)
    return run_id


def _register_version(client: "MlflowClient", model: str, run_id: str, bundle: Path) -> str:
    """A new version of the registry model whose source is the run's bundle."""
    if not client.search_registered_models(filter_string=f"name = '{model}'"):
        client.create_registered_model(model, description="Bundles of Souk; training/README.md gives the format.")
    source = f"{client.get_run(run_id).info.artifact_uri}/bundle"
    version = client.create_model_version(model, source, run_id, tags={"bundle": bundle.name}, await_creation_for=0)
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
