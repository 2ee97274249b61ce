"""The results of a dbt run per model: seconds and test results."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from orchestration.graph.dbt_graph import DbtModel
from orchestration.graph.metadata import Materialized, Metadata
from transforms.incremental.refresh import Comparison
from transforms.marts import BuildResult

CHECK = "dbt_tests"
REFRESHED = "refreshes_equal_build"
_EVENTS = "behaviour_events"


@dataclass
class ModelOutcome:
    """`seconds`: time of the model itself. `tests`: how many ran on it. `failed`: names and messages of failed ones."""

    seconds: float = 0.0
    tests: int = 0
    failed: list[str] = field(default_factory=list)


def read_outcomes(target: Path) -> dict[str, ModelOutcome]:
    """Model -> outcome, from dbt's run_results.json and manifest.json. A test counts on every model it reads."""
    nodes = json.loads((target / "manifest.json").read_bytes())["nodes"]
    outcomes: dict[str, ModelOutcome] = defaultdict(ModelOutcome)
    for result in json.loads((target / "run_results.json").read_bytes())["results"]:
        node = nodes.get(result["unique_id"])
        if node is None:  # an exposure: a reader of a mart, which does not run
            continue
        if node["resource_type"] == "model":
            outcomes[node["name"]].seconds = round(result["execution_time"], 3)
        for parent in _tested_models(node):
            outcomes[parent].tests += 1
            if result["status"] != "pass":
                outcomes[parent].failed.append(f"{node['name']}: {result['status']}: {result.get('message') or ''}")
    return outcomes


def _tested_models(node: dict[str, object]) -> list[str]:
    """Names of the models a test reads; none when the node is not a test."""
    depends = node["depends_on"]
    assert isinstance(depends, dict)
    parents = depends["nodes"] if node["resource_type"] == "test" else []
    return sorted({str(parent).rsplit(".", 1)[1] for parent in parents if str(parent).startswith("model.")})


def build_events(models: Sequence[DbtModel], built: BuildResult, target: Path) -> Iterator[Materialized]:
    """A materialisation per model with its rows, seconds, log position and the result of its tests."""
    outcomes = read_outcomes(target)
    rows = {**built.rows, **built.feature_rows}
    refreshed = refreshed_marts(models)
    for model in models:
        outcome = outcomes.get(model.name, ModelOutcome())
        held = [str(one) for one in built.withheld if model.name in one.models]
        metadata: Metadata = {"seconds": outcome.seconds, "lsn": built.lsn, "lsn_text": built.lsn_text}
        metadata |= {"dagster/row_count": rows[model.name]} if model.name in rows else {}
        checks = [_check(outcome, model.name, held)] if model.tested else []
        checks += [_compared(built.comparison, model.name)] if model.name in refreshed else []
        yield dg.MaterializeResult(asset_key=model.name, metadata=metadata, check_results=checks)


def failed_checks(models: Sequence[DbtModel], target: Path) -> Iterator[dg.AssetCheckResult]:
    """The failing tests of a build that did not publish; nothing when dbt ended before it wrote results."""
    if not (target / "run_results.json").is_file():
        return
    outcomes = read_outcomes(target)
    for model in models:
        outcome = outcomes.get(model.name)
        if model.tested and outcome is not None and outcome.failed:
            yield _check(outcome, model.name, [])


def _check(outcome: ModelOutcome, model: str, held: list[str]) -> dg.AssetCheckResult:
    """Withheld keys make a warning: the model was published without them."""
    metadata: Metadata = {
        "tests": outcome.tests,
        "failed": "\n".join(outcome.failed) or "none",
        "withheld": "\n".join(held) or "none",
    }
    return dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=model,
        passed=not outcome.failed and not held,
        severity=dg.AssetCheckSeverity.ERROR if outcome.failed else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def refreshed_marts(models: Sequence[DbtModel]) -> set[str]:
    """Marts and features that a build compares with what refreshes had made of them.

    Not those of behaviour events, which only a build makes, nor the row that says when it was made.
    """
    built_only = {_EVENTS}
    for model in models:  # parents come before children
        if built_only.intersection(model.parents):
            built_only.add(model.name)
    return {model.name for model in models if model.layer in {"marts", "features"}} - built_only - {"mart_watermark"}


def _compared(comparison: Comparison, mart: str) -> dg.AssetCheckResult:
    """The build replaces what differs, so a difference is an error of the refreshes, not of the published mart."""
    rows = comparison.differing.get(mart, 0)
    metadata: Metadata = {"differing_rows": rows, "not_compared": comparison.skipped or "no"}
    return dg.AssetCheckResult(
        check_name=REFRESHED,
        asset_key=mart,
        passed=not rows and not comparison.failed,
        severity=dg.AssetCheckSeverity.ERROR if rows else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
