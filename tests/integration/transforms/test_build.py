"""Lake -> marts: figures against plain Python, publication against a reader and a failing test, the graph's own
rules."""

import json
import re
import shutil
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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
from transforms.errors import LakeNotReady
from transforms.marts import build, prepare
from transforms.publish import connect
from transforms.settings import DBT_PROJECT, TransformSettings
from warehouse.lake.derived import derived_uri

SELLER_DAY = (
    "SELECT seller_id, order_date, currency, orders, units, gross_sales, cancelled_orders, cancelled_sales,"
    " restated_sales, returned_units, returned_amount, net_sales"
)
MARTS = set(mart_names(DBT_PROJECT))
# Products with a converted sum: sold in EUR too, on days with a rate.
CONVERTED = (
    "SELECT product_id FROM dim_product p JOIN fct_product_sales s USING (product_id)"
    " WHERE s.currency = 'EUR' AND p.revenue IS NOT NULL"
)


@pytest.fixture(scope="module")
def marts(built_marts: BuiltMarts) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(built_marts.result.marts, read_only=True) as con:
        yield con


def test_the_published_file_holds_the_marts_in_main_and_else_only_what_it_was_made_of(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    found = marts.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()

    assert {name for schema, name in found if schema == "main"} == MARTS
    assert {name for schema, name in found if schema != "main"} == {"state", "base"}
    assert {schema for schema, _ in found} == {"main", "changed"}
    assert stat.S_IMODE(built_marts.result.marts.stat().st_mode) == 0o444
    assert marts.execute("SELECT lsn, lsn_text, as_of FROM mart_watermark").fetchall() == [
        (1_000, built_marts.watermark.lsn_text, built_marts.watermark.commit_ts)
    ]
    assert set(built_marts.result.rows) == MARTS
    assert not list(built_marts.settings.build_folder.glob("*.duckdb"))


def test_sellers_days_are_what_plain_python_counts(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    found = {row[:3]: row[3:] for row in marts.execute(f"{SELLER_DAY} FROM mart_seller__sales_day").fetchall()}

    assert found == _seller_days(built_marts.shop)
    assert {currency for _, _, currency in found} == {"EUR", "GBP", "USD"}


def test_a_closed_day_changes_by_its_restatements_only(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    """What each day closed with, counted from what had happened by its end, plus its restatements is what it says."""
    restated: Counter[object] = Counter()
    for seller, day, currency, at, amount in marts.execute(
        "SELECT seller_id, order_date, currency, restated_on, amount FROM mart_seller__restatement"
    ).fetchall():
        assert at > day
        restated[seller, day, currency] += amount
    days = marts.execute("SELECT seller_id, order_date, currency, net_sales FROM mart_seller__sales_day").fetchall()
    closed = _seller_days(built_marts.shop, as_closed=True)

    assert len(restated) > 5
    assert {(*key,): net for *key, net in days} == {key: row[-1] + restated[key] for key, row in closed.items()}


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE main.mart_seller__restatement SET amount = amount - 1 WHERE rowid = 0",
        "DELETE FROM main.mart_seller__restatement WHERE rowid = 0",
        "UPDATE lake.return_events SET created_at = created_at + INTERVAL 1 DAY WHERE to_status = 'refunded'",
        "UPDATE lake.order_items SET subtotal = subtotal + 1 WHERE rowid = 0",
    ],
)
def test_a_closed_day_that_changed_without_a_restatement_fails_its_test(
    built_marts: BuiltMarts, tmp_path: Path, harm: str
) -> None:
    """The two sides are read from different tables: what harms one of them is seen."""
    nodes = load_manifest(built_marts.result.manifest)["nodes"].values()
    [sql] = [node["compiled_code"] for node in nodes if node["name"] == "closed_days_change_by_restatements_only"]
    state = shutil.copyfile(built_marts.settings.state_path, tmp_path / "souk.duckdb")
    with connect(state) as con:
        assert con.execute(sql).fetchall() == []
        con.execute(harm)

        assert con.execute(sql).fetchall() != []


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
    by_currency = "SELECT currency, sum(revenue), sum(units) FROM {} GROUP BY currency ORDER BY currency"
    assert (
        marts.execute(by_currency.format("fct_product_sales")).fetchall()
        == marts.execute(by_currency.format("fct_seller_sales")).fetchall()
        == _sales_by_currency(built_marts.shop)
    )
    assert marts.execute("SELECT count(*) FROM mart_seller__stock").fetchall() == [
        (len(built_marts.shop.rows["product_variants"]),)
    ]
    refunded = [row for row in built_marts.shop.rows["returns"] if row["status"] == "refunded"]
    assert marts.execute("SELECT sum(returned_quantity), sum(returned_amount) FROM fct_order_items").fetchall() == [
        (
            sum(_whole(row["quantity"]) for row in refunded),
            sum(_money(row["goods_amount"]) for row in refunded),
        )
    ]


def test_kits_are_the_sums_of_their_lines(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    """By plain Python, and to the cent; nothing is counted with them twice."""
    returned: dict[object, Decimal] = defaultdict(Decimal)
    for row in built_marts.shop.rows["returns"]:
        if row["status"] == "refunded":
            returned[row["order_item_id"]] += _money(row["goods_amount"])
    expected: dict[tuple[object, object], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in built_marts.shop.rows["order_items"]:
        if line.get("kit"):
            sums = expected[line["order_id"], json.loads(str(line["kit"]))["productId"]]
            sums[0] += _money(line["subtotal"])
            sums[1] += returned[line["order_item_id"]]

    found = marts.execute("SELECT order_id, product_id, goods_amount, returned_amount FROM fct_order_kits").fetchall()

    assert len(found) > 20
    assert {row[:2]: [*row[2:]] for row in found} == expected
    assert any(sums[1] for sums in expected.values())


def test_promises_kept_are_what_plain_python_counts(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    days: dict[tuple[object, object], list[Row]] = defaultdict(list)
    for row in built_marts.shop.rows["parcels"]:
        if row["status"] != "cancelled" and row["promised_on"] is not None:
            days[row["seller_id"], row["promised_on"]].append(row)
    expected = {}
    for key, promised in days.items():
        arrived = [row for row in promised if row["delivered_at"] is not None]
        late = [(_day(row["delivered_at"]) - row["promised_on"]).days for row in arrived]  # type: ignore[operator]
        counts = (len(promised), sum(row["shipped_at"] is not None for row in promised), len(arrived))
        on_time = sum(days_late <= 0 for days_late in late)
        rate = on_time / len(arrived) if arrived else None
        expected[key] = (*counts, on_time, sum(max(days_late, 0) for days_late in late), rate)

    found = marts.execute(
        "SELECT seller_id, promised_on, parcels, shipped, delivered, on_time, days_late, on_time_rate"
        " FROM mart_seller__delivery_day"
    ).fetchall()

    assert {row[:2]: row[2:] for row in found} == expected
    sums = [sum(row[place] for row in found) for place in range(2, 7)]
    assert sums[0] > sums[1] > sums[2] > sums[3] > 0
    assert sums[4] > 0
    assert any(row[7] is None for row in found)


def test_ratings_by_day_are_what_plain_python_counts(built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection) -> None:
    days: dict[tuple[object, object, object], list[Row]] = defaultdict(list)
    for row in built_marts.shop.rows["reviews_by_user"]:
        if row["status"] == "published":
            days[row["product_id"], _day(row["created_at"]), row["seller_id"]].append(row)
    expected = {
        key: (
            len(said),
            sum(bool(row["verified_purchase"]) for row in said),
            *(sum(row["rating"] == stars for row in said) for stars in range(1, 6)),
            sum(int(str(row["rating"])) for row in said),
        )
        for key, said in days.items()
    }

    found = marts.execute(
        "SELECT product_id, reviewed_on, seller_id, reviews, verified, reviews_1, reviews_2, reviews_3, reviews_4,"
        " reviews_5, stars, average_rating FROM fct_product_ratings"
    ).fetchall()

    assert {row[:3]: row[3:11] for row in found} == expected
    assert len(expected) > 10
    assert all(row[11] == pytest.approx(row[10] / row[3]) for row in found)


def test_no_number_adds_two_currencies_without_a_rate(
    built_marts: BuiltMarts, marts: duckdb.DuckDBPyConnection
) -> None:
    """Sums in one currency are converted day by day; where a rate is missing there is no sum, and the row says why."""
    for kind in ("product", "seller"):
        found = marts.execute(f"SELECT {kind}_id, currency, revenue, orders_without_rate FROM dim_{kind}").fetchall()

        assert {row[0]: row[2:] for row in found} == _converted_revenue(built_marts.shop, f"{kind}_id")
        assert {row[1] for row in found} == {"GBP"}
        assert any(revenue is None for _, _, revenue, _ in found)
    assert len(marts.execute(CONVERTED).fetchall()) > 0


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
    assert exposures == {"seller_dashboard", "search", "search_vectors", "training", "operations", "analysts"}


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


@pytest.mark.slow
def test_the_unit_tests_of_the_models_pass(empty_build: EmptyBuild) -> None:
    run = run_dbt(empty_build.settings, empty_build.private, ("test", "--select", "test_type:unit"))

    assert run.unit_tests == 33


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


def _seller_days(
    shop: SyntheticShop, *, as_closed: bool = False
) -> dict[tuple[object, ...], tuple[Decimal | int, ...]]:
    """The booking rules of mart_seller__sales_day, said a second time; `as_closed` leaves out later cancellations."""
    orders = {row["order_id"]: row for row in shop.rows["orders"]}
    cancelled_on = {row["order_id"]: _day(row["created_at"]) for row in shop.rows["order_events"]}
    days: dict[tuple[object, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for line in shop.rows["order_items"]:
        order = orders[line["order_id"]]
        days[line["seller_id"], _day(order["created_at"]), order["currency"]]["placed"].append(line)
    for row in shop.rows["return_events"]:
        if row["to_status"] == "refunded":
            days[row["seller_id"], _day(row["created_at"]), row["currency"]]["returned"].append(row)
    answer: dict[tuple[object, ...], tuple[Decimal | int, ...]] = {}
    for key, booked in days.items():
        placed, returned = booked["placed"], booked["returned"]
        later = [line for line in placed if str(cancelled_on.get(line["order_id"], "")) > str(key[1])]
        cancelled = [line for line in placed if line["order_id"] in cancelled_on and not (as_closed and line in later)]
        gross = sum((_money(line["subtotal"]) for line in placed), Decimal(0))
        off = -sum((_money(line["subtotal"]) for line in cancelled), Decimal(0))
        refunds = -sum((_money(row["goods_amount"]) for row in returned), Decimal(0))
        kept = [line for line in placed if line not in cancelled]
        counts = (len({line["order_id"] for line in kept}), sum(_whole(line["quantity"]) for line in kept))
        answer[key] = (
            *counts,
            gross,
            len({line["order_id"] for line in cancelled}),
            off,
            -sum((_money(line["subtotal"]) for line in later), Decimal(0)),
            -sum(_whole(row["quantity"]) for row in returned),
            refunds,
            gross + off + refunds,
        )
    return answer


def _sold_lines(shop: SyntheticShop) -> list[tuple[Row, Row]]:
    """Lines of orders that are not cancelled, with their orders."""
    orders = {row["order_id"]: row for row in shop.rows["orders"]}
    pairs = [(line, orders[line["order_id"]]) for line in shop.rows["order_items"]]
    return [(line, order) for line, order in pairs if order["status"] != "cancelled"]


def _sales_by_currency(shop: SyntheticShop) -> list[tuple[object, Decimal, int]]:
    money: dict[str, Decimal] = defaultdict(Decimal)
    units: Counter[str] = Counter()
    for line, order in _sold_lines(shop):
        money[str(order["currency"])] += _money(line["subtotal"])
        units[str(order["currency"])] += _whole(line["quantity"])
    return [(currency, money[currency], units[currency]) for currency in sorted(money)]


def _converted_revenue(shop: SyntheticShop, key: str) -> dict[object, tuple[Decimal | None, int]]:
    """Revenue in GBP per product or seller, and how many of its orders have no rate."""
    days: dict[object, dict[tuple[object, object], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    orders: dict[object, dict[tuple[object, object], set[object]]] = defaultdict(lambda: defaultdict(set))
    for line, order in _sold_lines(shop):
        day = (_day(order["created_at"]), order["currency"])
        days[line[key]][day] += _money(line["subtotal"])
        orders[line[key]][day].add(order["order_id"])
    answer: dict[object, tuple[Decimal | None, int]] = {}
    for row in shop.rows["sellers" if key == "seller_id" else "products"]:
        sums = {day: shop.in_pounds(amount, *day) for day, amount in days[row[key]].items()}
        missing = sum(len(orders[row[key]][day]) for day, amount in sums.items() if amount is None)
        total = sum((amount for amount in sums.values() if amount is not None), Decimal(0))
        answer[row[key]] = (None if missing else total, missing)
    return answer


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
