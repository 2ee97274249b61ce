"""Checks on the trained model."""

import dagster as dg

from orchestration.graph.metadata import Metadata
from orchestration.graph.recorded import recorded_number


@dg.asset_check(asset="recommender", description="NDCG@10 of what ships against popularity on the test weeks")
def beats_popularity(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns only: the promotion gate, which asks for a confident gain, keeps a weaker model from the shoppers."""
    shipped, popularity = (
        recorded_number(context.instance, "recommender", f"test_{name}_ndcg_at_10")
        for name in ("shipped", "popularity")
    )
    figures: Metadata = {"shipped": shipped, "popularity": popularity}
    return dg.AssetCheckResult(passed=shipped > popularity, severity=dg.AssetCheckSeverity.WARN, metadata=figures)
