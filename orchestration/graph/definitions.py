"""Dagster's entry point. Assets and checks are loaded by module: a new one needs no entry here.

Loading reads files of the repository only. It needs no lake, manifest or server.
"""

import dagster as dg

from orchestration.graph import assets, checks
from orchestration.graph.alerts import alerts
from orchestration.graph.automation import rebuilt, training_due
from orchestration.graph.day_files import days, days_changed
from orchestration.graph.freshness import marts_confirmed
from orchestration.graph.resources import Platform
from orchestration.graph.retention import hourly_retention, retention
from orchestration.graph.schedules import everything, nightly, rebuild, refresh, training
from orchestration.graph.sensors import behaviour_landed, lake_moved

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(assets),
    asset_checks=dg.load_asset_checks_from_package_module(checks),
    jobs=[everything, refresh, rebuild, training, days, retention],
    schedules=[nightly, hourly_retention],
    sensors=[lake_moved, behaviour_landed, marts_confirmed, rebuilt, training_due, days_changed, alerts],
    resources={"platform": Platform()},
    executor=dg.in_process_executor,  # steps take seconds; a process per step would cost more than the step
)
