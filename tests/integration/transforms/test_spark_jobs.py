"""The jobs in Spark: the same rows as DuckDB gives, and as another query gives, on random data."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from tests.harness.order_lines import CO_PURCHASE, SEQUENCES, expected, random_lines
from tests.harness.outside import assert_equals_postgres, rows_of_arrow, run_program, two_states
from tests.harness.postgres import PostgresHarness
from tests.harness.synthetic_lake import CONTRACT, START, random_shop, write_lake
from transforms.jobs.duckdb_engine import DuckdbEngine
from transforms.jobs.rules import Dialect, co_purchase, interaction_sequences
from transforms.jobs.run import run
from transforms.settings import TransformSettings
from transforms.spark.engine import SparkEngine, spark_engine
from transforms.spark.lake import current_state
from transforms.spark.session import spark_session
from warehouse.contract import load_contract
from warehouse.lake.catalog import ensure_changes, ensure_current
from warehouse.lake.commit import commit_rows
from warehouse.lake.derived import read_derived
from warehouse.lake.read import connect, copy_hot, state_sql, table_files
from warehouse.lake.watermark import TableVersion

# A Java machine takes ten seconds to start and both cores.
pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with spark_session(TransformSettings(home=tmp_path_factory.mktemp("spark"))) as session:
        yield session


@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_are_those_of_duckdb_and_of_another_query(spark: SparkSession, seed: int) -> None:
    """Small limits, so that wholesale orders, rare pairs and surplus partners all occur."""
    lines, limits = random_lines(seed), {"max_basket": 6, "min_orders": 2, "max_partners": 5}

    found = in_both(spark, lines, lambda engine: co_purchase(engine, **limits), "product_a, product_b")

    assert found[0].num_rows > 20
    assert found[0].equals(found[1])
    assert found[0].equals(expected(CO_PURCHASE, lines, **limits))


@pytest.mark.parametrize("limit", [2_000, 3])
def test_sequences_are_those_of_duckdb_and_of_another_query(spark: SparkSession, limit: int) -> None:
    lines = random_lines(3)

    found = in_both(spark, lines, lambda engine: interaction_sequences(engine, max_events=limit), "user_id")

    assert found[0].num_rows == 8
    assert found[0].equals(found[1])
    assert found[0].equals(expected(SEQUENCES, lines, max_events=limit))


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

        with connect() as con:
            query = state_sql(copy_hot(con, files, "hot", "sellers"))
            expected = sorted(con.execute(f"SELECT seller_id, name FROM ({query})").fetchall())
        assert found == expected
        assert ("s2", "back") in found
        assert len(found) == (1 if truncation else 6)


def test_a_run_in_spark_commits_the_tables_that_duckdb_commits(spark: SparkSession, tmp_path: Path) -> None:
    """The same rows, types, LSN and versions; a shop without orders too."""
    for home in ("duckdb", "spark", "empty"):
        shop = random_shop(5)
        rows = shop.rows if home != "empty" else {**shop.rows, "orders": [], "order_items": []}
        write_lake(tmp_path / home / "lake", rows, lsn=77, as_of=START + timedelta(days=70))
    of_duckdb, of_spark, empty = (TransformSettings(home=tmp_path / home) for home in ("duckdb", "spark", "empty"))

    plain = run(of_duckdb, open_engine=DuckdbEngine.open)
    done = run(of_spark, open_engine=partial(spark_engine, session=spark))
    nothing = run(empty, open_engine=partial(spark_engine, session=spark))

    assert (plain.engine, done.engine) == ("duckdb", "spark")
    assert (plain.lsn, plain.rows, plain.versions) == (done.lsn, done.rows, done.versions)
    assert nothing.rows == {"co_purchase": 0, "interaction_sequences": 0}
    for name, key in (("co_purchase", ("product_a", "product_b")), ("interaction_sequences", ("user_id",))):
        order = [(column, "ascending") for column in key]
        ours, theirs = (read_derived(settings.lake_uri, name).sort_by(order) for settings in (of_duckdb, of_spark))
        assert ours.num_rows == plain.rows[name] > 0
        assert ours.equals(theirs)
        assert ours.schema.equals(read_derived(empty.lake_uri, name).schema)


def test_spark_without_our_code_reads_what_postgres_holds(
    spark: SparkSession, postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program of docs/lake.md finds this session, which has this machine's Java."""
    with two_states(postgres_server, tmp_path) as history:
        names = run_program("Spark", tmp_path, monkeypatch)

        assert names["spark"] is spark
        assert_equals_postgres(names, history, lambda frame: rows_of_arrow(frame.toArrow()))


def in_both(
    spark: SparkSession, lines: pa.Table, query: Callable[[Dialect], str], order: str
) -> tuple[pa.Table, pa.Table]:
    """What Spark and what DuckDB make of these lines, with the columns as the lake has them."""
    spark.createDataFrame(lines).createOrReplaceTempView("order_lines")
    found = spark.sql(f"SELECT * FROM ({query(SparkEngine(spark))}) ORDER BY {order}").toArrow()
    with connect() as con:
        con.register("order_lines", lines)
        plain = con.execute(f"SELECT * FROM ({query(DuckdbEngine(con))}) ORDER BY {order}").to_arrow_table()
    return found.cast(plain.schema), plain
