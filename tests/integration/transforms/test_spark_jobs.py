"""The Spark jobs against plain SQL in DuckDB, on random data, and their commits to the lake."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import DataFrame, SparkSession

from orchestration.graph.assets.transforms import dbt_build, spark_tables
from orchestration.graph.resources import Platform
from tests.harness.outside import assert_equals_postgres, rows_of_arrow, run_program, two_states
from tests.harness.postgres import PostgresHarness
from tests.harness.synthetic_lake import CONTRACT, START, random_shop, write_lake
from tests.integration.conftest import BuiltMarts, transform_settings
from training.data.readers import read_inputs, read_marts, training_data
from training.settings import TrainingSettings
from transforms.settings import TransformSettings
from transforms.spark.co_purchase import COLUMNS, co_purchase
from transforms.spark.interactions import interaction_sequences
from transforms.spark.jobs import run
from transforms.spark.lake import current_state
from transforms.spark.session import spark_session
from warehouse.contract import load_contract
from warehouse.lake.catalog import ensure_changes, ensure_current
from warehouse.lake.commit import commit_rows
from warehouse.lake.derived import read_derived, read_metadata
from warehouse.lake.read import copy_hot, state_sql, table_files
from warehouse.lake.watermark import TableVersion

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
LINES = "order_item_id string, order_id string, product_id string, user_id string, ordered_at timestamp"
Line = tuple[str, str, str, str | None, datetime]

CO_PURCHASE_SQL = """
WITH bought AS (SELECT DISTINCT order_id, product_id FROM lines),
sizes AS (SELECT order_id, count(*) AS n FROM bought GROUP BY order_id),
per_product AS (SELECT product_id, count(*) AS orders FROM bought GROUP BY product_id),
pairs AS (
  SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS orders_together
  FROM bought a JOIN bought b USING (order_id) JOIN sizes USING (order_id)
  WHERE a.product_id <> b.product_id AND n <= {max_basket}
  GROUP BY ALL HAVING count(*) >= {min_orders}
)
SELECT product_a, product_b, orders_together, a.orders AS orders_a, b.orders AS orders_b,
  orders_together::DOUBLE / total AS support, orders_together::DOUBLE / a.orders AS confidence,
  orders_together::DOUBLE * total / (a.orders::DOUBLE * b.orders::DOUBLE) AS lift
FROM pairs
JOIN per_product a ON a.product_id = product_a
JOIN per_product b ON b.product_id = product_b
CROSS JOIN (SELECT count(DISTINCT order_id)::DOUBLE AS total FROM bought)
QUALIFY row_number() OVER (PARTITION BY product_a ORDER BY orders_together DESC, product_b) <= {max_partners}
ORDER BY product_a, product_b
"""
SEQUENCE_SQL = """
SELECT user_id, list(product_id ORDER BY ordered_at, order_id, order_item_id) AS product_ids,
  list(order_id ORDER BY ordered_at, order_id, order_item_id) AS order_ids,
  list(ordered_at ORDER BY ordered_at, order_id, order_item_id) AS timestamps
FROM lines WHERE user_id IS NOT NULL GROUP BY user_id ORDER BY user_id
"""


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with spark_session(TransformSettings(home=tmp_path_factory.mktemp("spark"))) as session:
        yield session


@pytest.mark.parametrize("seed", [1, 2])
def test_co_purchase_equals_sql(spark: SparkSession, seed: int) -> None:
    """Small limits, so that wholesale orders, rare pairs and surplus partners all occur."""
    lines = _random_lines(seed)
    limits = {"max_basket": 6, "min_orders": 2, "max_partners": 5}

    found = co_purchase(_frame(spark, lines), **limits).orderBy("product_a", "product_b").toArrow()

    expected = _duckdb(lines, CO_PURCHASE_SQL.format(**limits))
    assert tuple(found.column_names) == COLUMNS
    assert found.num_rows > 20
    assert [tuple(row.values()) for row in found.to_pylist()] == expected


def test_interaction_sequences_equal_sql_and_keep_the_newest(spark: SparkSession) -> None:
    lines = _random_lines(3)

    whole = interaction_sequences(_frame(spark, lines)).orderBy("user_id").toArrow()
    short = interaction_sequences(_frame(spark, lines), max_events=3).orderBy("user_id").toArrow()

    expected = _duckdb(lines, SEQUENCE_SQL)
    assert [tuple(row.values()) for row in whole.to_pylist()] == expected
    assert [row["product_ids"] for row in short.to_pylist()] == [row["product_ids"][-3:] for row in whole.to_pylist()]


def test_spark_reads_base_and_tail_as_duckdb_does(spark: SparkSession, tmp_path: Path) -> None:
    """Updates, deletes, a key that comes back, a truncation in the middle, rows before the fold and after the
    watermark."""
    table = load_contract(CONTRACT).by_name["sellers"]
    lake = str(tmp_path)
    changes, current = ensure_changes(lake, table), ensure_current(lake, table)
    base = [{"seller_id": f"s{number}", "name": "base", "_commit_lsn": 10} for number in range(6)]
    commit_rows(current, pa.Table.from_pylist(base, schema=table.current_schema), 10)
    for truncation in (False, True):
        tail: list[tuple[str, str | None, str | None, int, int]] = [
            ("u", "s1", "folded", 9, 0),
            ("u", "s1", "new", 11, 0),
            ("d", "s2", None, 11, 1),
            ("u", "s1", "newer", 12, 0),
        ]
        tail += [("t", None, None, 12, 1)] if truncation else []
        tail += [
            ("i", "s2", "back", 13, 0),
            ("i", "s9", "first", 13, 1),
            ("d", "s9", None, 13, 2),
            ("u", "s3", "future", 99, 0),
        ]
        rows = [
            {"_op": op, "seller_id": key, "name": name, "_commit_lsn": lsn, "_ordinal": at, "_commit_ts": START}
            for op, key, name, lsn, at in tail
        ]
        log = pa.Table.from_pylist(rows, schema=table.changes_schema)
        commit_rows(changes, log.filter(pc.field("_commit_lsn") < 13), 12, mode="overwrite")
        files = table_files(lake, "sellers", TableVersion(changes.version(), current.version(), folded_lsn=10), 13)
        files = replace(files, hot=log.filter(pc.field("_commit_lsn") >= 13))

        found = sorted(tuple(row) for row in current_state(spark, files, ["seller_id", "name"]).collect())

        with duckdb.connect() as con:
            query = state_sql(copy_hot(con, files, "hot", "sellers"))
            expected = sorted(con.execute(f"SELECT seller_id, name FROM ({query})").fetchall())
        assert found == expected
        assert ("s2", "back") in found
        assert len(found) == (1 if truncation else 6)


def test_a_run_commits_both_tables_with_the_watermark_and_leaves_cancelled_orders_out(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = random_shop(5)
    home = tmp_path / "home"
    mark = write_lake(home / "lake", shop.rows, lsn=77, as_of=START + timedelta(days=70))
    settings = TransformSettings(home=home)

    first = run(settings, spark=spark)
    again = run(settings, spark=spark)

    sequences = read_derived(settings.lake_uri, "interaction_sequences")
    pairs = read_derived(settings.lake_uri, "co_purchase")
    orders = {row["order_id"]: row for row in shop.rows["orders"]}
    kept = [
        row
        for row in shop.rows["order_items"]
        if (order := orders[row["order_id"]])["status"] != "cancelled" and order["user_id"] is not None
    ]
    assert (first.lsn, first.rows) == (mark.lsn, again.rows)
    assert read_metadata(settings.lake_uri, "co_purchase")[1]["watermarkLsn"] == "77"
    assert first.rows == {"co_purchase": pairs.num_rows, "interaction_sequences": sequences.num_rows}
    assert sum(len(row) for row in sequences["product_ids"].to_pylist()) == len(kept)
    assert {order for row in sequences["order_ids"].to_pylist() for order in row} == {row["order_id"] for row in kept}
    assert pairs.num_rows > 0
    assert sequences.schema.field("timestamps").type.value_type == pa.timestamp("us", tz="UTC")


def test_a_shop_without_orders_and_one_with_a_single_shopper(spark: SparkSession, tmp_path: Path) -> None:
    shop = random_shop(5)
    empty = {name: [] if name in {"orders", "order_items"} else rows for name, rows in shop.rows.items()}
    order = next(row for row in shop.rows["orders"] if row["status"] != "cancelled" and row["user_id"] is not None)
    lines = [row for row in shop.rows["order_items"] if row["order_id"] == order["order_id"]]
    single = empty | {"orders": [order], "order_items": lines}
    for name, rows, shoppers in (("empty", empty, 0), ("single", single, 1)):
        write_lake(tmp_path / name / "lake", rows, lsn=77, as_of=START + timedelta(days=70))
        settings = TransformSettings(home=tmp_path / name)
        assert run(settings, spark=spark).rows == {"co_purchase": 0, "interaction_sequences": shoppers}
        assert read_derived(settings.lake_uri, "co_purchase").num_rows == 0
        products = read_derived(settings.lake_uri, "interaction_sequences")["product_ids"].to_pylist()
        assert [len(row) for row in products] == [len(lines)] * shoppers


def test_training_sees_the_same_purchases_through_the_sequences_as_in_the_mart(
    spark: SparkSession, built_marts: BuiltMarts, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(built_marts.settings.home, home, symlinks=True)
    training = TrainingSettings(home=home, lake_uri=str(home / "lake"))
    run(TransformSettings(home=home), built_marts.watermark, spark)
    with duckdb.connect(str(training.marts_path), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        every = con.execute(
            "SELECT order_id, user_id, product_id, ordered_at FROM fct_order_items WHERE NOT is_cancelled"
        ).pl()
    whole = training_data("lake", every, read_marts(training.marts_path)[1], built_marts.watermark.lsn, None)

    read = read_inputs(training)

    assert (read.data_hash(), read.watermark_lsn) == (whole.data_hash(), built_marts.watermark.lsn)


def test_spark_and_dbt_of_one_run_read_the_watermark_its_lake_step_recorded(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake has a newer watermark by then; no row of the newer state is in the pairs or the marts."""
    settings = transform_settings(tmp_path)
    shop = random_shop(5)
    write_lake(tmp_path / "lake", shop.rows, lsn=77, as_of=START + timedelta(days=70))
    then = {str(row["product_id"]) for row in shop.rows["products"]}
    newer = random_shop(6, products=40)
    write_lake(tmp_path / "lake", newer.rows, lsn=99, as_of=START + timedelta(days=71))
    for name in ("SOUK_LAKE_URI", "SOUK_MARTS_PATH", "SOUK_DBT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))
    monkeypatch.setattr("transforms.spark.jobs.run", partial(run, spark=spark))

    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("orders", metadata={"lsn": 77}))
        dg.materialize([spark_tables, dbt_build], instance=instance, resources={"platform": Platform()})

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


@pytest.mark.slow
def test_spark_without_our_code_reads_what_postgres_holds(
    spark: SparkSession, postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program of docs/lake.md finds this session, which has this machine's Java."""
    with two_states(postgres_server, tmp_path) as history:
        names = run_program("Spark", tmp_path, monkeypatch)

        assert names["spark"] is spark
        assert_equals_postgres(names, history, lambda frame: rows_of_arrow(frame.toArrow()))


def _random_lines(seed: int) -> list[Line]:
    rng = random.Random(seed)
    lines: list[Line] = []
    for order in range(120):
        user = rng.choice([None, *(f"u{number}" for number in range(8))])
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(60))
        lines += [
            (f"i{order:03d}-{position}", f"o{order:03d}", f"p{int(rng.betavariate(1, 3) * 15):02d}", user, at)
            for position in range(rng.choice([1, 2, 3, 5, 9]))
        ]
    rng.shuffle(lines)
    return lines


def _frame(spark: SparkSession, lines: list[Line]) -> DataFrame:
    return spark.createDataFrame(lines, LINES)


def _duckdb(lines: list[Line], query: str) -> list[tuple[object, ...]]:
    names = ["order_item_id", "order_id", "product_id", "user_id", "ordered_at"]
    columns = {name: pa.array([line[index] for line in lines]) for index, name in enumerate(names)}
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("lines", pa.table(columns))
        return con.execute(query).fetchall()
