"""Group `features`: writes the newest rows, which requests read, to Redis.

dbt's feature tables, which hold the history, are in assets/transforms.py.
"""

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.graph.retries import TWICE
from orchestration.graph.tiers import made_nightly
from orchestration.settings import ROOT


@dg.asset(
    group_name="features",
    deps=["features_user", "features_user_history", "features_shop"],
    owners=["team:ml"],
    kinds={"feast", "redis"},
    tags={"layer": "online"},
    retry_policy=TWICE,
    freshness_policy=made_nightly(),
    code_version=version_of(ROOT / "features"),
)
def online_features(platform: Platform) -> Materialized:
    """The newest rows of every shopper and of the shop in Redis, and the feature views in Feast's registry."""
    from features.materialise import materialise  # imports feast; only the process that runs this step needs it

    done = materialise(platform.features)
    metadata: Metadata = {f"rows_{view}": rows for view, rows in done.rows.items()}
    metadata |= {f"seconds_{phase}": seconds for phase, seconds in done.seconds.items()}
    metadata |= {
        "dagster/row_count": sum(done.rows.values()),
        "lsn_text": done.lsn_text,
        "columns_hash": done.columns_hash,
    }
    return dg.MaterializeResult(metadata=metadata)
