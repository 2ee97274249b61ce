"""Everything Dagster knows. Loading reads files of the repository only: no lake, no manifest, no server need exist."""

import dagster as dg

from orchestration.graph import checks
from orchestration.graph.assets.features import online_features
from orchestration.graph.assets.lake import lake
from orchestration.graph.assets.serving import champion
from orchestration.graph.assets.training import recommender
from orchestration.graph.assets.transforms import dbt_build, spark_tables
from orchestration.graph.resources import Platform
from orchestration.graph.schedules import everything, nightly, refresh
from orchestration.graph.sensors import lake_moved

defs = dg.Definitions(
    assets=[lake, spark_tables, dbt_build, online_features, recommender, champion],
    asset_checks=dg.load_asset_checks_from_modules([checks]),
    jobs=[everything, refresh],
    schedules=[nightly],
    sensors=[lake_moved],
    resources={"platform": Platform()},
    executor=dg.in_process_executor,  # a step is seconds of work; a process per step would cost more than the step
)
