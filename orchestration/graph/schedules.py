"""The jobs and their schedules."""

import dagster as dg

from orchestration.graph.assets.lake import lake_tables
from orchestration.graph.checks.lake import EQUALS

_LAKE = dg.AssetSelection.groups("warehouse")
_FRESH = _LAKE | dg.AssetSelection.groups("transforms", "features") - dg.AssetSelection.assets(
    "co_purchase", "interaction_sequences"
)

everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
    description="Every arrow once: lake, Spark, dbt, features, training, champion, with all checks.",
    tags={"souk/scope": "everything"},
    executor_def=dg.in_process_executor,
)
refresh = dg.define_asset_job(
    "refresh",
    selection=_FRESH
    - dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey(name), EQUALS) for name in lake_tables())),
    description="What changes with every order: marts and features at the newest watermark. No Spark, no training.",
    tags={"souk/scope": "refresh"},
    executor_def=dg.in_process_executor,
)

nightly = dg.ScheduleDefinition(
    name="nightly",
    job=everything,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Everything, training included, at 02:00 UTC.",
)
