"""Checks on the products' vectors."""

import dagster as dg

from orchestration.graph.metadata import Metadata
from orchestration.graph.resources import Platform


@dg.asset_check(
    asset="product_vectors",
    description="Products without a vector of their present text, and vectors of a wrong length",
)
def every_product_has_its_vector(platform: Platform) -> dg.AssetCheckResult:
    """Warns only: a product without a vector is found by its words."""
    settings = platform.serving
    if not settings.search_semantic:
        return dg.AssetCheckResult(passed=True, metadata={"switched_off": "SOUK_SEARCH_SEMANTIC is not set"})
    from serving.semantic.embed import compared, product_texts
    from serving.semantic.model import packaged_model

    texts = product_texts(platform.transforms.marts_path)
    found = compared(texts, settings.lake_uri, settings.encoder or packaged_model())
    metadata: Metadata = {"products": len(texts), "missing": found.missing, "not_of_length_1": found.not_of_length_1}
    passed = not found.missing and not found.not_of_length_1
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)
