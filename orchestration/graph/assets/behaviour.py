"""Behaviour events in the lake, which the `events` process writes continuously; a run records how far they are."""

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.settings import ROOT
from warehouse.lake.behaviour import events_landed


@dg.asset(
    name="behaviour_events",
    group_name="warehouse",
    owners=["team:data"],
    kinds={"deltalake", "redis"},
    tags={"layer": "lake"},
    description="What shoppers looked at and did, each event once. Written by the events process, never by a run.",
    code_version=version_of(ROOT / "warehouse/events", ROOT / "warehouse/lake/behaviour.py"),
)
def behaviour_events(platform: Platform) -> Materialized:
    """Count the events; they have a position of their own, not the watermark's."""
    metadata: Metadata = {"dagster/row_count": events_landed(platform.warehouse.lake_uri)}
    return dg.MaterializeResult(metadata=metadata)
