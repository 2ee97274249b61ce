"""Group `transforms`: the derived tables of the jobs over all order lines and every dbt model, at one watermark.

dbt's feature tables are made here too, in group `features`.
"""

from collections.abc import Iterator

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.dbt_graph import DbtModel, read_project
from orchestration.graph.dbt_results import CHECK, REFRESHED, build_events, failed_checks, refreshed_marts
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.recorded import recorded_watermark
from orchestration.graph.resources import Platform
from orchestration.graph.retries import TWICE
from orchestration.graph.tiers import freshness_of, made_nightly
from orchestration.settings import ROOT
from transforms.errors import BuildFailed
from transforms.marts import build
from transforms.settings import TransformSettings

MODELS = read_project(TransformSettings().dbt_project)
_JOBS = {
    "co_purchase": "Pairs of products ordered together: support, confidence, lift. By DuckDB or Spark, in Delta.",
    "interaction_sequences": "What each shopper ordered, oldest first. By DuckDB or Spark, in Delta.",
}


def _dbt_spec(model: DbtModel) -> dg.AssetSpec:
    return dg.AssetSpec(
        model.name,
        deps=list(model.parents),
        group_name=model.group,
        owners=["team:data" if model.group == "transforms" else "team:ml"],
        kinds={"dbt", "duckdb"},
        tags={"layer": model.layer},
        description=model.description or None,
        freshness_policy=freshness_of(model),
        code_version=model.version,
    )


@dg.multi_asset(
    name="spark_tables",
    specs=[
        dg.AssetSpec(
            name,
            deps=["orders", "order_items"],
            group_name="transforms",
            owners=["team:data"],
            kinds={"duckdb", "spark", "deltalake"},
            tags={"layer": "derived"},
            description=text,
            freshness_policy=made_nightly(),
            code_version=version_of(ROOT / "transforms/jobs", ROOT / "transforms/spark"),
        )
        for name, text in _JOBS.items()
    ],
    retry_policy=TWICE,
)
def spark_tables(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Materialized]:
    """Compute from the lake at the run's watermark, commit through delta-rs. The number of order lines chooses the
    engine."""
    from transforms.jobs.run import run  # only the process that runs this step needs it

    done = run(platform.transforms, recorded_watermark(context.instance, platform))
    for name in _JOBS:
        metadata: Metadata = {
            "dagster/row_count": done.rows[name],
            "seconds": done.seconds[name],
            "lsn": done.lsn,
            "version": done.versions[name],
            "engine": done.engine,
        }
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)


@dg.multi_asset(
    name="dbt_build",
    specs=[_dbt_spec(model) for model in MODELS],
    check_specs=[
        *(
            dg.AssetCheckSpec(CHECK, asset=model.name, description="dbt's data tests")
            for model in MODELS
            if model.tested
        ),
        *(
            dg.AssetCheckSpec(REFRESHED, asset=name, description="Refreshes by key equal the build, row by row")
            for name in sorted(refreshed_marts(MODELS))
        ),
    ],
    can_subset=True,
)
def dbt_build(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Materialized | dg.AssetCheckResult]:
    """Build every model at the run's watermark, test it, publish the features and then the marts, each by a rename; on
    a failure publish nothing. A run that selects a part of the models builds all and reports that part."""
    settings, selected = platform.transforms, context.selected_asset_keys
    try:
        built = build(settings, recorded_watermark(context.instance, platform))
    except BuildFailed:
        yield from (check for check in failed_checks(MODELS, settings.dbt_target) if check.asset_key in selected)
        raise
    yield from (made for made in build_events(MODELS, built, settings.dbt_target) if made.asset_key in selected)
