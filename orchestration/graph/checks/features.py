"""Checks on the online features."""

import dagster as dg

from orchestration.graph.metadata import Metadata
from orchestration.graph.resources import Platform


@dg.asset_check(
    asset="online_features", blocking=True, description="A sample of shoppers and the shop, Redis against Parquet"
)
def online_equals_offline(platform: Platform) -> dg.AssetCheckResult:
    """What a request reads is what training reads, value for value."""
    from orchestration.graph.feature_parity import compare_online  # imports feast

    found = compare_online(platform.features)
    metadata: Metadata = {"values": found.compared, "differing": "\n".join(found.differing) or "none"}
    return dg.AssetCheckResult(passed=found.compared > 0 and not found.differing, metadata=metadata)
