"""Lake -> marts: figures against plain Python, publication against a reader and a failing test, the graph's own
rules."""

import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from orchestration.cli import app
from tests.harness.synthetic_lake import START, Row, SyntheticShop, write_lake, write_pairs
from tests.integration.conftest import BuiltMarts, transform_settings
from transforms.dbt_project import load_manifest, mart_names, run_dbt
from transforms.errors import BuildFailed, LakeNotReady
from transforms.marts import build, prepare
from transforms.publish import connect
from transforms.settings import DBT_PROJECT, TransformSettings
from warehouse.lake.derived import derived_uri

SELLER_DAY = (
    "SELECT seller_id, order_date, orders, units, gross_sales, cancelled_orders, cancelled_sales,"
    " returned_units, returned_amount, net_sales"
)
MARTS = set(mart_names(DBT_PROJECT))


@pytest.fixture(scope="module")
def marts(built_marts: BuiltMarts) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(built_marts.result.marts, read_only=True) as con:
        yield con


def test_the_published_file_holds_the_marts_in_main_and_nothing_else(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    found = marts.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()

    assert {name for schema, name in found if schema == "main"} == MARTS
    assert {schema for schema, _ in found} == {"main"}
    assert stat.S_IMODE(built_marts.result.marts.stat().st_mode) == 0o444
    assert marts.execute("SELECT lsn, lsn_text, as_of FROM mart_watermark").fetchall() == [
        (1_000, built_marts.watermark.lsn_text, built_marts.watermark.commit_ts)
    ]
    assert set(built_marts.result.rows) == MARTS
    assert not list(built_marts.settings.build_folder.glob("*.duckdb"))


def test_sellers_days_are_what_plain_python_counts(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    found = {row[:2]: row[2:] for row in marts.execute(f"{SELLER_DAY} FROM mart_seller__sales_day").fetchall()}

    assert found == _seller_days(built_marts.shop)


def test_totals_agree_between_marts_and_shop(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    orders = built_marts.shop.rows["orders"]
    lines = built_marts.shop.rows["order_items"]

    assert marts.execute("SELECT count(*), sum(total), sum(units), sum(item_count) FROM fct_orders").fetchall() == [
        (
            len(orders),
            sum(_money(row["total"]) for row in orders),
            sum(_whole(row["quantity"]) for row in lines),
            len(lines),
        )
    ]
    assert marts.execute("SELECT count(*), sum(subtotal) FROM fct_order_items").fetchall() == [
        (len(lines), sum(_money(row["subtotal"]) for row in lines))
    ]
    assert (
        marts.execute("SELECT sum(revenue) FROM dim_product").fetchall()
        == marts.execute("SELECT sum(revenue) FROM dim_seller").fetchall()
    )
    assert marts.execute("SELECT count(*) FROM mart_seller__stock").fetchall() == [
        (len(built_marts.shop.rows["product_variants"]),)
    ]
    refunded = [row for row in built_marts.shop.rows["returns"] if row["status"] == "refunded"]
    assert marts.execute("SELECT sum(returned_quantity), sum(returned_amount) FROM fct_order_items").fetchall() == [
        (
            sum(_whole(row["quantity"]) for row in refunded),
            sum(_money(row["refund_amount"]) for row in refunded),
        )
    ]


def test_products_bought_together_are_sparks_pairs_with_titles_and_ranks(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    listed = {row["product_id"]: row for row in built_marts.shop.rows["products"]}
    best_first = sorted(
        built_marts.pairs, key=lambda row: (-_whole(row["orders_together"]), -_real(row["lift"]), str(row["product_b"]))
    )
    seen: Counter[object] = Counter()
    expected = set()
    for pair in best_first:
        a, b = pair["product_a"], pair["product_b"]
        seen[a] += 1
        title, partner = listed[a]["title"], listed[b]["title"]
        figures = (pair["orders_together"], pair["confidence"], pair["lift"])
        expected.add((a, b, title, partner, listed[a]["seller_id"], *figures, seen[a], 900, "0/384"))

    found = marts.execute("SELECT * FROM mart_product__bought_together").fetchall()

    assert len(found) == len(expected) == len(built_marts.pairs) > 50
    assert set(found) == expected
    assert max(seen.values()) > 5


def test_a_spark_run_in_the_middle_of_a_build_changes_no_pair(built_marts: BuiltMarts, tmp_path: Path) -> None:
    """dbt reads the files that the build attached, also after Spark replaced them and cleaned up."""
    lake, private = tmp_path / "lake", tmp_path / "souk.duckdb"
    mark = write_lake(lake, built_marts.shop.rows, lsn=20, as_of=START)
    before = write_pairs(lake, built_marts.shop.rows, lsn=10)
    prepare(private, str(lake), mark, datetime.now(UTC))

    fewer = {**built_marts.shop.rows, "order_items": built_marts.shop.rows["order_items"][:90]}
    after = write_pairs(lake, fewer, lsn=20)
    DeltaTable(derived_uri(lake, "co_purchase")).vacuum(
        retention_hours=24, dry_run=False, enforce_retention_duration=False
    )

    assert len(after) < len(before)
    assert _pairs_attached(private) == (len(before), 10, "0/A")
    prepare(tmp_path / "next.duckdb", str(lake), mark, datetime.now(UTC))
    assert _pairs_attached(tmp_path / "next.duckdb") == (len(after), 20, "0/14")


def test_every_mart_and_column_is_described_for_any_client(marts: duckdb.DuckDBPyConnection) -> None:
    tables = marts.execute(
        "SELECT name FROM (SELECT schema_name, table_name AS name, comment FROM duckdb_tables() UNION ALL"
        " SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal)"
        " WHERE schema_name = 'main' AND (comment IS NULL OR comment = '')"
    ).fetchall()
    columns = marts.execute(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE NOT internal AND schema_name = 'main' AND comment IS NULL"
    ).fetchall()

    assert (tables, columns) == ([], [])


def test_the_graph_keeps_its_layers_contracts_and_descriptions(built_marts: BuiltMarts) -> None:
    manifest = load_manifest(built_marts.result.manifest)
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    layer = {key: node["fqn"][1] for key, node in models.items()}
    allowed = {
        "staging": {"source"},
        "intermediate": {"staging", "intermediate"},
        "marts": {"intermediate", "marts"},
        "features": {"intermediate", "marts"},
    }

    wrong = [
        (key, parent)
        for key, node in models.items()
        for parent in node["depends_on"]["nodes"]
        if layer.get(parent, "source") not in allowed[layer[key]]
    ]
    public = [node for key, node in models.items() if layer[key] in {"marts", "features"}]

    assert wrong == []
    assert {node["name"] for node in public if node["schema"] == "main"} == MARTS
    assert [node["name"] for node in models.values() if not node["description"]] == []
    assert [
        node["name"]
        for node in public
        if not node["config"]["contract"]["enforced"] or not node["config"]["meta"].get("owner")
    ] == []
    assert [
        (node["name"], column)
        for node in public
        for column, facts in node["columns"].items()
        if not facts["description"]
    ] == []
    exposures = {exposure["name"] for exposure in manifest["exposures"].values()}
    assert exposures == {"seller_dashboard", "training", "operations", "analysts"}


def test_the_help_of_souk_sql_names_every_mart() -> None:
    shown = CliRunner().invoke(app, ["sql", "--help"], env={"COLUMNS": "200"})

    assert shown.exit_code == 0
    assert set(re.findall(r"\b(?:dim|fct|mart)_\w+", shown.output)) == MARTS


@dataclass(frozen=True)
class EmptyBuild:
    """Every model without rows, in a file that is not published, and dbt's nodes with their compiled SQL."""

    private: Path
    settings: TransformSettings
    nodes: list[dict[str, Any]]  # Any: dbt's manifest is a JSON document of its own schema


@pytest.fixture(scope="module")
def empty_build(built_marts: BuiltMarts, tmp_path_factory: pytest.TempPathFactory) -> EmptyBuild:
    folder = tmp_path_factory.mktemp("empty")
    private, settings = folder / "souk.duckdb", transform_settings(folder)
    prepare(private, built_marts.settings.lake_uri, built_marts.watermark, datetime.now(UTC))
    run = run_dbt(settings, private, ("run", "--empty"))
    return EmptyBuild(private, settings, list(load_manifest(run.manifest)["nodes"].values()))


def test_the_unit_tests_of_the_models_pass(empty_build: EmptyBuild) -> None:
    run = run_dbt(empty_build.settings, empty_build.private, ("test", "--select", "test_type:unit"))

    assert run.unit_tests == 18


def test_every_column_of_an_intermediate_model_has_a_reader(empty_build: EmptyBuild) -> None:
    """A column counts as read when a model that reads this one names it. Keys are named by their tests."""
    readers: dict[str, set[str]] = defaultdict(set)
    for node in empty_build.nodes:
        for parent in node["depends_on"]["nodes"]:
            code = str(node.get("compiled_code") or node["raw_code"]) + str(node.get("column_name"))
            readers[parent.split(".")[-1]] |= set(re.findall(r"\w+", code))
    with connect(empty_build.private, read_only=True) as con:
        columns = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'intermediate'"
        ).fetchall()

    assert len(columns) > 100
    assert [f"{table}.{column}" for table, column in columns if column not in readers[table]] == []


@pytest.mark.timeout(600)
def test_a_failing_test_blocks_publication_and_a_reader_is_never_disturbed(tmp_path: Path) -> None:
    """The second build must fail (lines that do not add up to their order), the third one is good again."""
    settings = transform_settings(tmp_path)
    shop = _one_order_shop()
    write_lake(tmp_path / "lake", shop.rows, lsn=10, as_of=START + timedelta(days=2))
    first = build(settings)
    before = first.marts.read_bytes()
    reader = connect(first.marts, read_only=True)
    current = first.features.resolve()

    shop.rows["order_items"][0]["quantity"] = 3
    write_lake(tmp_path / "lake", shop.rows, lsn=20, as_of=START + timedelta(days=3))
    (settings.build_folder / "souk.duckdb").write_bytes(b"left by a killed build")
    with pytest.raises(BuildFailed, match="subtotal"):
        build(settings)

    assert first.marts.read_bytes() == before
    assert first.features.resolve() == current

    shop.rows["order_items"][0] |= {"quantity": 2}
    shop.add_order([(*_sold(shop), 5, "2.00")], START + timedelta(days=3))
    write_lake(tmp_path / "lake", shop.rows, lsn=30, as_of=START + timedelta(days=4))
    third = build(settings)

    assert reader.execute("SELECT lsn FROM mart_watermark").fetchall() == [(10,)]
    assert reader.execute("SELECT count(*) FROM fct_orders").fetchall() == [(1,)]
    reader.close()
    with connect(third.marts, read_only=True) as con:
        assert con.execute("SELECT lsn FROM mart_watermark").fetchall() == [(30,)]
        assert con.execute("SELECT sum(gross_sales) FROM mart_seller__sales_day").fetchall() == [(Decimal("20.00"),)]
        assert con.execute("SELECT count(*) FROM mart_product__bought_together").fetchall() == [(0,)], (
            "Spark never ran here"
        )
    assert third.features.resolve() != current


def test_without_a_watermark_the_build_says_so(tmp_path: Path) -> None:
    with pytest.raises(LakeNotReady, match=r"warehouse\.cdc"):
        build(transform_settings(tmp_path))

    assert not (tmp_path / "marts" / "souk.duckdb").exists()


def test_settings_follow_the_state_directory() -> None:
    settings = TransformSettings(home=Path("/state"))

    assert settings.lake_uri == "/state/lake"
    assert settings.marts_path == Path("/state/marts/souk.duckdb")
    assert settings.dbt_target == Path("/state/dbt/target")
    assert settings.features_folder == Path("/state/features")


def _seller_days(shop: SyntheticShop) -> dict[tuple[object, object], tuple[object, ...]]:
    """The booking rules of mart_seller__sales_day, said a second time."""
    orders = {row["order_id"]: row for row in shop.rows["orders"]}
    days: dict[tuple[object, object], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for line in shop.rows["order_items"]:
        days[line["seller_id"], _day(orders[line["order_id"]]["created_at"])]["placed"].append(line)
    for row in shop.rows["returns"]:
        if row["status"] == "refunded":
            days[row["seller_id"], _day(row["updated_at"])]["returned"].append(row)
    answer: dict[tuple[object, object], tuple[object, ...]] = {}
    for key, booked in days.items():
        placed, returned = booked["placed"], booked["returned"]
        cancelled = [line for line in placed if orders[line["order_id"]]["status"] == "cancelled"]
        gross = sum((_money(line["subtotal"]) for line in placed), Decimal(0))
        off = -sum((_money(line["subtotal"]) for line in cancelled), Decimal(0))
        refunds = -sum((_money(row["refund_amount"]) for row in returned), Decimal(0))
        counts = (len({line["order_id"] for line in placed}), sum(_whole(line["quantity"]) for line in placed))
        back = -sum(_whole(row["quantity"]) for row in returned)
        answer[key] = (
            *counts,
            gross,
            len({line["order_id"] for line in cancelled}),
            off,
            back,
            refunds,
            gross + off + refunds,
        )
    return answer


def _one_order_shop() -> SyntheticShop:
    shop = SyntheticShop()
    seller = shop.add_seller()
    product, variant = shop.add_product(seller, shop.add_category(), "Lamp")
    shop.add_order([(product, variant, seller, 2, "5.00")], START + timedelta(days=1), shop.new_id())
    return shop


def _sold(shop: SyntheticShop) -> tuple[str, str, str]:
    line = shop.rows["order_items"][0]
    return str(line["product_id"]), str(line["variant_id"]), str(line["seller_id"])


def _pairs_attached(private: Path) -> object:
    with connect(private) as con:
        return con.execute(
            "SELECT count(*), min(watermark_lsn), max(watermark_lsn_text) FROM derived.co_purchase"
        ).fetchone()


def _day(value: object) -> object:
    assert isinstance(value, datetime)
    return value.date()


def _money(value: object) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _real(value: object) -> float:
    assert isinstance(value, float)
    return value


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
