"""Group `training`: the recommender.

One run fits the models, evaluates them, writes the bundle, registers it, and promotes it when it passes the gate.
"""

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.queues import LAST, leave_data_queue
from orchestration.graph.resources import Platform
from orchestration.graph.tiers import made_nightly
from orchestration.settings import ROOT


@dg.asset(
    group_name="training",
    deps=[
        "fct_order_items",
        "dim_product",
        "features_product",
        "features_user",
        "features_shop",
        "interaction_sequences",
    ],
    owners=["team:ml"],
    kinds={"pytorch", "mlflow"},
    tags={"layer": "model"},
    op_tags=LAST,
    freshness_policy=made_nightly(),
    code_version=version_of(ROOT / "training"),
)
def recommender(context: dg.AssetExecutionContext, platform: Platform) -> Materialized:
    """A model bundle under $SOUK_HOME/models and its MLflow run, fitted on the current marts and features."""
    from training.data.datasets import TooFewPurchases
    from training.data.readers import (
        read_inputs,  # imports torch and mlflow; only the process that runs this step needs them
    )
    from training.recommender.training_run import run

    leave_data_queue(context.instance, context.run.run_id)
    settings = platform.training
    try:
        done = run(read_inputs(settings), settings)
    except TooFewPurchases as few:  # a young shop: this run makes no model, and the next run tries again
        return dg.MaterializeResult(metadata={"promoted": False, "reason": str(few)})
    metadata: Metadata = {name.replace("/", "_").replace("@", "_at_"): value for name, value in done.headline.items()}
    metadata |= {
        "bundle": done.version,
        "shipped": done.shipped,
        "promoted": done.promoted,
        "reason": done.reason,
        "lsn": done.watermark_lsn,
    }
    metadata |= {
        "events": done.events,
        "products": done.products,
        "shoppers": done.users,
        "cpu_seconds": done.cpu_seconds,
    }
    return dg.MaterializeResult(metadata={**metadata, "mlflow_run": done.run_id, "mlflow_version": done.model_version})
