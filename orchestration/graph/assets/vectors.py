"""Group `features`: what the products' texts mean, as vectors in the lake."""

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.graph.retries import TWICE
from orchestration.graph.tiers import made_nightly
from orchestration.settings import ROOT


@dg.asset(
    group_name="features",
    deps=["dim_product"],
    owners=["team:ml"],
    kinds={"pytorch", "deltalake"},
    tags={"layer": "online"},
    retry_policy=TWICE,
    freshness_policy=made_nightly(),
    code_version=version_of(ROOT / "serving/semantic"),
)
def product_vectors(platform: Platform) -> Materialized:
    """A vector of each product's text, for search by meaning. Only texts that are new or have changed are encoded;
    without SOUK_SEARCH_SEMANTIC none."""
    settings = platform.serving
    if not settings.search_semantic:
        return dg.MaterializeResult(metadata={"switched_off": "SOUK_SEARCH_SEMANTIC is not set"})
    from serving.semantic.embed import embed, product_texts  # imports torch, when there is something to encode
    from serving.semantic.model import packaged_model

    texts = product_texts(platform.transforms.marts_path)
    done = embed(texts, settings.lake_uri, settings.encoder or packaged_model())
    metadata: Metadata = {
        "dagster/row_count": done.rows,
        "products": done.products,
        "encoded": done.encoded,
        "dropped": done.dropped,
        "seconds": round(done.seconds, 3),
        "texts_per_second": round(done.texts_per_second, 1),
    }
    return dg.MaterializeResult(metadata=metadata)
