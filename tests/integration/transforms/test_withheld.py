"""What a rule of the marts refuses is withheld and named; a build that fails publishes nothing."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.graph.checks.transforms import compare_totals
from tests.harness.synthetic_lake import START, SyntheticShop, write_lake
from tests.integration.conftest import transform_settings
from transforms.errors import BuildFailed, FailedTest
from transforms.marts import build
from transforms.publish import connect
from transforms.refresh_record import read_record
from transforms.withheld import withhold


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bad_order_is_withheld_and_named_and_a_bad_build_publishes_nothing(tmp_path: Path) -> None:
    """Postgres allows a second refunded return of a line. Then a line is in the lake twice; then both are mended."""
    settings = transform_settings(tmp_path)
    shop = _one_order_shop()
    shop.add_order([(*_sold(shop), 1, "5.00")], START + timedelta(days=1))
    bad = shop.rows["orders"][0]
    for quantity in (1, 2):
        item, asked = str(shop.rows["order_items"][0]["order_item_id"]), START + timedelta(days=1, hours=3)
        shop.add_return(item, quantity, asked, asked + timedelta(hours=1))
    write_lake(tmp_path / "lake", shop.rows, lsn=10, as_of=START + timedelta(days=2))
    first = build(settings)
    before = first.marts.read_bytes()
    reader = connect(first.marts, read_only=True)
    current = first.features.resolve()

    rule = "more pieces of a line were refunded than were bought"
    names = (bad["order_id"], bad["order_number"], shop.rows["sellers"][0]["seller_id"])
    assert reader.execute("SELECT kind, key, name, seller_id, rule FROM mart_withheld").fetchall() == [
        ("order", *names, rule)
    ]
    assert [(held.kind, held.key, held.rule) for held in first.withheld] == [("order", bad["order_id"], rule)]
    assert _published(reader, current) == [(1,), (Decimal("5.00"), Decimal("0.00")), (Decimal("5.00"), 1), (1,)]
    totals = compare_totals(settings)
    assert totals.mart == totals.lake == {"GBP": (1, "10.39")}
    assert read_record(settings.refresh_record)["failingSince"] is None

    shop.add("order_items", **shop.rows["order_items"][0])
    write_lake(tmp_path / "lake", shop.rows, lsn=20, as_of=START + timedelta(days=3))
    (settings.build_folder / "souk.duckdb").write_bytes(b"left by a killed build")
    with pytest.raises(BuildFailed, match="order_item_id"):
        build(settings)
    failing = read_record(settings.refresh_record)

    assert first.marts.read_bytes() == before
    assert first.features.resolve() == current
    assert failing["failures"] == 1
    assert "order_item_id" in str(failing["error"])

    shop.rows["order_items"].pop()
    shop.rows["order_items"][0] |= {"quantity": 4, "subtotal": Decimal("20.00")}
    bad |= {"subtotal": Decimal("20.00"), "total": Decimal("25.79")}
    write_lake(tmp_path / "lake", shop.rows, lsn=30, as_of=START + timedelta(days=4))
    third = build(settings)

    assert reader.execute("SELECT lsn FROM mart_watermark").fetchall() == [(10,)]
    reader.close()
    with connect(third.marts, read_only=True) as con:
        assert con.execute("SELECT lsn FROM mart_watermark").fetchall() == [(30,)]
        assert con.execute("SELECT count(*) FROM mart_withheld").fetchall() == [(0,)]
        assert _published(con, third.features.resolve()) == [
            (2,),
            (Decimal("25.00"), Decimal("-15.00")),
            (Decimal("25.00"), 2),
            (2,),
        ]
        # both orders are of a day that had closed; one is back with its refunds
        days = "SELECT order_date, restated_on, orders, amount, cause FROM mart_seller__restatement"
        closed, on = ((START + timedelta(days=number)).date() for number in (1, 4))
        assert con.execute(days).fetchall() == [(closed, on, 0, Decimal("5.00"), "mended")]
        assert con.execute("SELECT net_sales, restated_sales FROM mart_seller__sales_day").fetchall() == [
            (Decimal("10.00"), Decimal("5.00"))
        ]
        assert con.execute("SELECT count(*) FROM mart_product__bought_together").fetchall() == [(0,)], (
            "Spark never ran here"
        )
    assert third.features.resolve() != current
    assert read_record(settings.refresh_record)["failures"] == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_bad_order_and_a_bad_product_are_withheld_one_after_the_other_and_their_seller_stays(tmp_path: Path) -> None:
    """A refund of less than nothing fails its seller's days too; a product with a negative price takes its order."""
    shop = _one_order_shop()
    category, seller = (
        str(shop.rows[table][0][key]) for table, key in (("categories", "category_id"), ("sellers", "seller_id"))
    )
    product, variant = shop.add_product(seller, category, "Chair")
    shop.add_order([(*_sold(shop), 1, "5.00")], START + timedelta(days=1))
    taken, _ = shop.add_order([(product, variant, seller, 1, "5.00")], START + timedelta(days=1))
    bad, asked = shop.rows["order_items"][0], START + timedelta(days=1, hours=3)
    shop.add_return(str(bad["order_item_id"]), 1, asked, asked + timedelta(hours=1))
    for table in ("returns", "return_events"):
        for row in shop.rows[table]:
            row["refund_amount"] = Decimal("-5.00")
    shop.rows["products"][1]["base_price"] = Decimal("-1.00")
    write_lake(tmp_path / "lake", shop.rows, lsn=10, as_of=START + timedelta(days=2))

    built = build(transform_settings(tmp_path))

    assert [(held.kind, held.key) for held in built.withheld] == [("order", bad["order_id"]), ("product", product)]
    with connect(built.marts, read_only=True) as con:
        named = con.execute("SELECT kind, key FROM mart_withheld ORDER BY ALL").fetchall()
        assert named == sorted([("order", bad["order_id"]), ("order", taken), ("product", product)])
        assert con.execute("SELECT orders FROM dim_seller").fetchall() == [(1,)]
        assert con.execute("SELECT title FROM dim_product").fetchall() == [("Lamp",)]


def _published(con: duckdb.DuckDBPyConnection, features: Path) -> list[tuple[object, ...]]:
    """Orders, sales and refunds by day, a product's figures, and its orders among the features."""
    queries = (
        "SELECT count(*) FROM fct_orders",
        "SELECT sum(gross_sales), sum(returned_amount) FROM mart_seller__sales_day",
        "SELECT revenue, orders FROM dim_product",
        f"SELECT max(product__orders_total) FROM '{features}/features_product.parquet'",
    )
    return [row for query in queries for row in con.execute(query).fetchall()]


@pytest.mark.parametrize(
    ("column", "value", "held"),
    [
        ("order_item_id", "i1", {("order", "o1")}),
        ("return_id", "r1", {("order", "o2")}),
        ("variant_id", "v1", {("product", "p1")}),
        ("product_id", "p2", {("product", "p2")}),
        ("seller_id", "s1", {("seller", "s1")}),
        ("product_id", "p3", {("order", "o3")}),
        ("variant_id", "v3", {("order", "o3")}),
        ("seller_id", "s3", {("order", "o3")}),
    ],
)
def test_what_a_failing_row_belongs_to_is_withheld(
    tmp_path: Path, column: str, value: str, held: set[tuple[str, str]]
) -> None:
    """What the lake does not hold stands for the orders that name it."""
    test = FailedTest("a rule", f"SELECT '{value}' AS from_field", column, ("fct_orders",))
    private = _withholding(tmp_path)

    found = withhold(private, BuildFailed(["x"], [test], fatal=False), START, {("order", "o1"): START})

    assert {(one.kind, one.key) for one in found} == held
    with pytest.raises(BuildFailed):  # the same keys again: nothing is left to withhold
        withhold(private, BuildFailed(["x"], [test], fatal=False), START, {})


def test_of_the_keys_that_fail_at_once_the_finest_are_withheld_first(tmp_path: Path) -> None:
    """One bad refund makes its seller's day fail too, and its product's sums."""
    tests = [
        FailedTest(f"{column} fails", f"SELECT '{value}' AS {column}", None, ("fct_orders",))
        for column, value in (("seller_id", "s1"), ("order_id", "o1"), ("product_id", "p1"))
    ]
    private = _withholding(tmp_path)
    passes = []
    for left in (tests, tests, tests[:1]):  # dbt runs between the passes; the last one fails for the seller alone
        found = withhold(private, BuildFailed(["x"], left, fatal=False), START, {})
        passes.append([(one.kind, one.key) for one in found])

    assert passes == [[("order", "o1")], [("product", "p1")], [("seller", "s1")]]


@pytest.mark.parametrize(("key", "lines"), [("p1", 9), ("s1", 8)])
def test_orders_that_a_product_or_a_seller_takes_with_it_count_as_missing(tmp_path: Path, key: str, lines: int) -> None:
    """Ten of these forty orders may be missing, not eleven."""
    column = {"p": "product_id", "s": "seller_id"}[key[0]]
    failed = BuildFailed(["x"], [FailedTest("a rule", f"SELECT '{key}' AS {column}", None, ("dim",))], fatal=False)
    private = _withholding(tmp_path)
    line = "INSERT INTO lake.order_items SELECT 'j' || n, 'o' || n, 'p1', 'v1', 's2' FROM range(4, 4 + ?) AS t(n)"
    with connect(private) as con:
        con.execute(line, [lines])
    assert len(withhold(private, failed, START, {})) == 1
    with connect(private) as con:
        con.execute(line, [lines + 1])
        con.execute("DELETE FROM build.withheld")

    with pytest.raises(BuildFailed):
        withhold(private, failed, START, {})
    with connect(private) as con:
        assert con.execute("SELECT count(*) FROM build.withheld").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("sql", "model", "fatal"),
    [
        ("SELECT 'o1' AS order_id", "fct_orders", True),
        ("SELECT 3 AS lines", "fct_orders", False),
        ("SELECT order_id FROM lake.orders", "fct_orders", False),
        ("SELECT 'o1' AS order_id", "stg_shop__orders", False),
    ],
    ids=["a model failed too", "no key is named", "too many orders", "a test on the lake's own table"],
)
def test_a_build_is_refused_rather_than_published_with_much_missing(
    tmp_path: Path, sql: str, model: str, fatal: bool
) -> None:
    failed = BuildFailed(["x"], [FailedTest("a rule", sql, None, (model,))], fatal=fatal)

    with pytest.raises(BuildFailed):
        withhold(_withholding(tmp_path), failed, START, {})


def _withholding(folder: Path) -> Path:
    """A private file with a few rows of the lake: o1 holds v1 of p1, o2 v2 of p2, o3 what is not there, others
    nothing."""
    path = folder / "souk.duckdb"
    with connect(path) as con:
        con.execute("CREATE SCHEMA lake; CREATE SCHEMA build")
        con.execute("CREATE TABLE build.withheld (kind VARCHAR, key VARCHAR, rule VARCHAR, since TIMESTAMPTZ)")
        con.execute("CREATE TABLE lake.orders AS SELECT 'o' || n AS order_id FROM range(1, 41) AS t(n)")
        con.execute("CREATE TABLE lake.sellers AS SELECT 's1' AS seller_id")
        con.execute(
            "CREATE TABLE lake.products AS FROM (VALUES ('p1', 's1'), ('p2', 's1')) AS t(product_id, seller_id)"
        )
        con.execute(
            "CREATE TABLE lake.product_variants AS FROM (VALUES ('v1', 'p1'), ('v2', 'p2'))"
            " AS t(variant_id, product_id)"
        )
        con.execute(
            "CREATE TABLE lake.order_items AS FROM"
            " (VALUES ('i1', 'o1', 'p1', 'v1', 's1'), ('i2', 'o2', 'p2', 'v2', 's1'), ('i3', 'o3', 'p3', 'v3', 's3'))"
            " AS t(order_item_id, order_id, product_id, variant_id, seller_id)"
        )
        con.execute("CREATE TABLE lake.returns AS SELECT 'r1' AS return_id, 'o2' AS order_id")
    return path


def _one_order_shop() -> SyntheticShop:
    shop = SyntheticShop()
    seller = shop.add_seller()
    product, variant = shop.add_product(seller, shop.add_category(), "Lamp")
    shop.add_order([(product, variant, seller, 2, "5.00")], START + timedelta(days=1), shop.new_id())
    return shop


def _sold(shop: SyntheticShop) -> tuple[str, str, str]:
    line = shop.rows["order_items"][0]
    return str(line["product_id"]), str(line["variant_id"]), str(line["seller_id"])
