"""The lake on S3: change capture and the jobs write it, and every reader gets from it what Postgres holds.

The server is moto's, in this process.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import httpx
import pytest

from tests.harness.cdc import CdcLab
from tests.harness.object_store import BUCKET, running_object_store
from tests.harness.outside import History, assert_equals_postgres, in_order, rows_of_arrow, run_program, two_states
from tests.harness.postgres import PostgresHarness
from tests.harness.synthetic_lake import CONTRACT, START, random_shop, write_lake
from transforms.errors import SparkFailed
from transforms.jobs.rules import COLUMNS
from transforms.jobs.run import run
from transforms.marts import build
from transforms.settings import TransformSettings
from warehouse.contract import load_contract
from warehouse.lake.derived import read_derived, read_metadata
from warehouse.lake.hot import hot_folder, segment_paths
from warehouse.lake.read import read_current, watermark_at

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The server's address."""
    with running_object_store() as environment:
        yield environment["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="module")
def history(
    store: str, postgres_server: PostgresHarness, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("s3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOUK_HOME", str(folder / "home"))
        with two_states(postgres_server, folder, lake=f"s3://{BUCKET}/lake") as states:
            yield states


def test_our_readers_give_what_postgres_holds(history: History) -> None:
    lake = history.lab.lake
    for end, rows in zip(history.ends, history.rows, strict=True):
        mark = watermark_at(lake, end)
        for table in history.lab.contract.tables:
            found = read_current(lake, table.name, mark).select(list(table.names))
            assert rows_of_arrow(found) == rows[table.name], table.name


def test_polars_without_our_code_gives_what_postgres_holds(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_program("Polars", history.lab.home.parent, monkeypatch, history.lab.lake)

    assert_equals_postgres(names, history, lambda frame: in_order(frame.rows()))


def test_duckdb_without_our_code_gives_what_postgres_holds(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_program("DuckDB", history.lab.home.parent, monkeypatch, history.lab.lake)

    assert_equals_postgres(names, history, rows_of_arrow)


def test_the_hot_log_lies_in_the_state_directory_and_all_else_in_the_bucket(history: History, store: str) -> None:
    assert hot_folder(history.lab.lake) == history.lab.home / "hot"
    assert segment_paths(history.lab.home / "hot") != []
    assert list(history.lab.home.rglob("*.parquet")) == []
    listed = httpx.get(f"{store}/{BUCKET}", params={"list-type": "2", "prefix": "lake/changes/things/"}).text
    assert ".parquet</Key>" in listed


def test_the_jobs_commit_the_same_tables_as_in_a_folder(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_HOME", str(tmp_path / "home"))  # the hot log of a bucket is that of the state directory
    shop = random_shop(5)
    settings = {
        lake: TransformSettings(home=tmp_path / "home", lake_uri=lake)
        for lake in (str(tmp_path / "lake"), f"s3://{BUCKET}/jobs")
    }
    whole = load_contract(CONTRACT)
    contract = replace(whole, tables=tuple(table for table in whole.tables if table.name in COLUMNS))
    rows = {name: shop.rows[name] for name in COLUMNS}
    for lake in settings:
        write_lake(lake, rows, lsn=77, as_of=START + timedelta(days=70), contract=contract)

    local, remote = (run(given) for given in settings.values())

    assert local.rows == remote.rows
    for name, key in (("co_purchase", ("product_a", "product_b")), ("interaction_sequences", ("user_id",))):
        order = [(column, "ascending") for column in key]
        ours, theirs = (read_derived(lake, name).sort_by(order) for lake in settings)
        assert ours.num_rows == local.rows[name] > 0
        assert ours.equals(theirs)
        assert [read_metadata(lake, name)[1]["watermarkLsn"] for lake in settings] == ["77", "77"]
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []
    by_spark = settings[f"s3://{BUCKET}/jobs"].model_copy(update={"jobs_engine": "spark"})
    with pytest.raises(SparkFailed, match="holds no client for object stores; SOUK_LAKE_URI is s3://souk/jobs"):
        run(by_spark)


def test_rows_are_exact_after_every_kill(
    store: str, postgres_server: PostgresHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = CdcLab(postgres_server, tmp_path)
    lab.lake = f"s3://{BUCKET}/killed"
    monkeypatch.setenv("SOUK_HOME", str(lab.home))
    try:
        for number in range(8):
            lab.start(settings={"SOUK_LAKE_URI": lab.lake, "SOUK_CDC_FOLD_SECONDS": "0.3"})
            lab.wait_watermark()
            lab.execute(
                f"insert into things select gen_random_uuid(), 'thing ' || n, n from generate_series(1, 200) n;"
                f"update things set qty = qty + 1 where qty % 7 = {number % 7}; delete from things where qty = {number}"
            )
            if number < 7:
                lab.kill()
        lab.assert_exact()
        source = lab.watermark().source
        assert source is not None
        assert source.snapshots == 1
    finally:
        lab.close()


@pytest.mark.timeout(900)
def test_marts_and_features_are_those_of_a_lake_in_a_folder(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt's own connections read the bucket too."""
    shop = random_shop(5)
    built: dict[str, dict[str, list[tuple[object, ...]]]] = {}
    for name, lake in (("folder", str(tmp_path / "lake")), ("bucket", f"s3://{BUCKET}/marts")):
        settings = TransformSettings(home=tmp_path / name, lake_uri=lake)
        monkeypatch.setenv("SOUK_HOME", str(settings.home))
        write_lake(lake, shop.rows, lsn=77, as_of=START + timedelta(days=70))
        run(settings)
        assert build(settings).lsn == 77
        with duckdb.connect(str(settings.marts_path), read_only=True) as con:
            found = con.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
            ).fetchall()
            built[name] = {
                table: in_order(con.execute(f"FROM {table}").fetchall())
                for (table,) in found
                if table != "mart_watermark"
            }
    assert len(built["folder"]["fct_order_items"]) > 100
    assert len(built["folder"]["mart_product__bought_together"]) > 10
    assert built["bucket"] == built["folder"]
