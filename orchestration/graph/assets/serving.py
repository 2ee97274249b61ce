"""Group `serving`: the champion, which is the bundle that serves."""

import dagster as dg

from orchestration.graph.automation import SERVED_WHEN_TRAINED
from orchestration.graph.champion import confirm_champion
from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.graph.retries import TWICE
from orchestration.graph.tiers import made_nightly
from orchestration.settings import ROOT


@dg.asset(
    group_name="serving",
    deps=["recommender", "online_features"],
    owners=["team:ml"],
    kinds={"fastapi"},
    tags={"layer": "serving"},
    automation_condition=SERVED_WHEN_TRAINED,
    retry_policy=TWICE,
    freshness_policy=made_nightly(),
    code_version=version_of(ROOT / "orchestration/graph/champion.py"),
)
def champion(platform: Platform) -> Materialized:
    """The bundle models/champion.json names, confirmed in use by the recommender's own process."""
    found = confirm_champion(platform.training.models, platform.serving_url)
    metadata: Metadata = {
        "version": found.version or "none was good enough yet: recommendations are what sells",
        "serving": found.serving or "not asked",
        "seconds": found.seconds,
    }
    return dg.MaterializeResult(metadata=metadata)
