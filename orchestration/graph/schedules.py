"""The jobs and their schedules."""

import dagster as dg

from orchestration.graph.checks.lake import EQUALS, IS_FRESH
from orchestration.graph.queues import DATA, QUEUE, TRAINING

NIGHT = "0 2 * * *"
# One lake table, the events and a staging view of each stand for all: they order the steps, and each asset more is six
# events in the log.
_FRESH = dg.AssetSelection.assets("orders", "stg_shop__orders", "behaviour_events", "stg_behaviour__events") | (
    dg.AssetSelection.tag("layer", "marts")
    | dg.AssetSelection.tag("layer", "features")
    | dg.AssetSelection.tag("layer", "online")
)

# The days' files are partitions with a job of their own (day_files).
_ALL = (dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()) - dg.AssetSelection.groups("days")
_TRAINED = dg.AssetSelection.groups("training", "serving")

everything = dg.define_asset_job(
    "everything",
    selection=_ALL,
    description="Every arrow once: lake, jobs over all orders, dbt, features, training, champion, with all checks.",
    tags={"souk/scope": "everything", QUEUE: DATA},
    executor_def=dg.in_process_executor,
)
refresh = dg.define_asset_job(
    "refresh",
    selection=_FRESH
    - dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey("orders"), name) for name in (EQUALS, IS_FRESH))),
    description="What changes with every order: marts and features at the newest watermark. No pairs, no training.",
    tags={"souk/scope": "refresh", QUEUE: DATA, "dagster/max_retries": "0"},
    executor_def=dg.in_process_executor,
)

rebuild = dg.define_asset_job(
    "rebuild",
    selection=_ALL - _TRAINED,
    description="Lake, jobs over all orders, dbt and features with all checks. Training follows in its own queue.",
    tags={"souk/scope": "rebuild", QUEUE: DATA},
    executor_def=dg.in_process_executor,
)

training = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups("training"),
    description="The recommender on the marts and features of the last build. Its rollout follows as a run of its own.",
    tags={"souk/scope": "training", QUEUE: TRAINING},
    executor_def=dg.in_process_executor,
)

nightly = dg.ScheduleDefinition(
    name="nightly",
    job=rebuild,
    cron_schedule=NIGHT,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every table, mart and feature at 02:00 UTC; training follows when it has succeeded.",
)
