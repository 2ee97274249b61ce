"""The asset of products' vectors, run by Dagster with its check: from the published marts to the lake."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.graph.assets.vectors import product_vectors
from orchestration.graph.checks.vectors import every_product_has_its_vector
from orchestration.graph.resources import Platform
from serving.semantic.vectors import read_vectors
from tests.harness.encoders import write_encoder


def run() -> tuple[dict[str, object], dict[str, object]]:
    """What the asset and its check say."""
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"platform": Platform()}
        done = dg.materialize([product_vectors, every_product_has_its_vector], instance=instance, resources=resources)
    [made] = done.asset_materializations_for_node("product_vectors")
    [check] = done.get_asset_check_evaluations()
    assert check.passed
    figures: dict[str, object] = {name: value.value for name, value in made.metadata.items()}
    return figures, {name: value.value for name, value in check.metadata.items()}


def test_dagster_brings_the_vectors_up_to_the_marts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marts, lake = tmp_path / "souk.duckdb", str(tmp_path / "lake")
    for name, value in {
        "SOUK_LAKE_URI": lake, "SOUK_MARTS_PATH": str(marts), "SOUK_ENCODER": str(write_encoder(tmp_path / "encoder")),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with duckdb.connect(str(marts)) as con:
        con.execute(
            "CREATE TABLE dim_product AS SELECT * FROM (VALUES ('p1', 'Oak lamp', 'Bolt', '/Home/Lamps', 'active'),"
            " ('p2', 'Chair', NULL, NULL, 'active')) AS t(product_id, title, brand, category_path, status)"
        )
    assert run() == ({"switched_off": "SOUK_SEARCH_SEMANTIC is not set"},) * 2
    assert read_vectors(lake).rows == 0
    monkeypatch.setenv("SOUK_SEARCH_SEMANTIC", "true")

    first, check = run()
    with duckdb.connect(str(marts)) as con:
        con.execute("UPDATE dim_product SET title = 'Red lamp' WHERE product_id = 'p2'")
    second, _ = run()

    counted = ("products", "encoded", "dropped", "dagster/row_count")
    assert [[figures[name] for name in counted] for figures in (first, second)] == [[2, 2, 0, 2], [2, 1, 0, 3]]
    assert check == {"products": 2, "missing": 0, "not_of_length_1": 0}
    assert sorted(read_vectors(lake).product_ids) == ["p1", "p2"]
