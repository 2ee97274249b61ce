"""A real set: every line is loaded or reported, the money is the set's own, every invariant holds, and bad files change
nothing."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, running_sandbox
from tests.harness.history import load, loaded
from tests.harness.invariants import assert_invariants
from tests.harness.postgres import PostgresHarness
from tests.harness.retail import BAD, REAL, SMALL, damaged


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def summary(database_url: str, sandbox: Server, home: Path) -> dict[str, Any]:
    return loaded(load(database_url, "online-retail", str(SMALL), sandbox_url=sandbox.url, home=home))


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def test_every_line_is_loaded_or_reported(summary: dict[str, Any], home: Path) -> None:
    lines = summary["facts"]["lines"]

    assert (lines["sold"], lines["shipping"], lines["givenBack"], lines["reported"]) == (9, 2, 3, 10)
    assert lines["total"] == 24 == lines["sold"] + lines["shipping"] + lines["givenBack"] + lines["reported"]
    with (home / "reports" / "online-retail-unmatched.csv").open(encoding="utf-8") as file:
        report = list(csv.DictReader(file))
    assert Counter(row["reason"] for row in report) == lines["reportedByReason"]
    assert [(row["line"], row["reason"], row["units"]) for row in report] == [
        ("7", "fee-or-adjustment", ""),
        ("13", "no-price", ""),
        ("16", "return-exceeds-purchases", "12"),
        ("17", "return-without-purchase", "1"),
        ("18", "guest-return", "1"),
        ("20", "shipping-credit", ""),
        ("21", "shipping-without-products", ""),
        ("22", "fee-or-adjustment", ""),
        ("23", "price-not-in-cents", ""),
        ("25", "no-quantity", ""),
    ]


def test_every_invariant_holds_against_the_gateway_too(
    summary: dict[str, Any], database_url: str, sandbox: Server
) -> None:
    assert_invariants(database_url, sandbox_url=sandbox.url, sandbox_key=SANDBOX_KEY)


def test_orders_keep_their_time_money_and_country(summary: dict[str, Any], database_url: str) -> None:
    query = (
        "select u.name, o.created_at, o.country, o.subtotal, o.shipping_fee, o.tax, o.total, o.currency, o.status,"
        " o.payment_status from orders o left join users u using (user_id) order by o.created_at"
    )

    first, second, guest, mistake, mug, last = rows(database_url, query)

    at = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    money = (Decimal("22.08"), Decimal("18.00"), Decimal("0.00"), Decimal("40.08"), "GBP")
    assert first == ("Customer 17850", at, "United Kingdom", *money, "delivered", "paid")
    assert (second[0], second[2], second[6], second[8], second[9]) == (
        "Customer 13047",
        "France",
        Decimal("23.75"),
        "refunded",
        "refunded",
    )
    assert (guest[0], guest[4], guest[6]) == (None, Decimal("10.00"), Decimal("20.72"))
    assert (mistake[6], mistake[8], mistake[9]) == (Decimal("77183.60"), "cancelled", "voided")
    assert (mug[6], mug[8]) == (Decimal("6.30"), "refunded")
    assert (last[6], last[8]) == (Decimal("13.56"), "delivered")


def test_returns_are_bounded_by_purchases_and_paid_back_at_the_price_paid(
    summary: dict[str, Any], database_url: str
) -> None:
    query = (
        "select r.created_at::date::text, r.quantity, r.refund_amount from returns r order by r.created_at, r.quantity"
    )

    assert rows(database_url, query) == [
        ("2010-12-03", 7, Decimal("11.55")),
        ("2010-12-04", 3, Decimal("4.95")),
        ("2010-12-04", 5, Decimal("7.25")),
        ("2010-12-06", 3, Decimal("6.30")),
    ]


def test_products_have_display_titles_and_keep_the_original(summary: dict[str, Any], database_url: str) -> None:
    query = (
        "select specifications->>'itemCode', title, specifications->>'originalTitle', base_price from products "
        "order by (specifications->>'itemCode')::int"
    )

    assert rows(database_url, query) == [
        ("1", "White Hanging Heart T-Light Holder", "WHITE HANGING HEART T-LIGHT HOLDER", Decimal("2.55")),
        ("2", "Set of 6 T-Lights Santa", "SET OF 6 T-LIGHTS SANTA", Decimal("3.39")),
        ("3", "Lunch Bag Red Retrospot", "LUNCH BAG RED RETROSPOT", Decimal("1.55")),
        ("4", "Lunch Bag Spaceboy Design", "LUNCH BAG  SPACEBOY DESIGN", Decimal("2.46")),
        ("5", "Jumbo Bag Pink Polkadot", "JUMBO BAG PINK POLKADOT", Decimal("4.13")),
        ("6", 'Red Spotty "kitty" Mug', 'RED SPOTTY "KITTY" MUG', Decimal("2.10")),
        ("11", "Carriage Clock, 40x40cm", "CARRIAGE CLOCK, 40x40cm", Decimal("1.04")),
    ]
    assert rows(
        database_url,
        "select distinct c.path from products p join categories c using (category_id) where title like '%Bag%'",
    ) == [("/Bag",)]


def test_customers_are_those_of_the_set(summary: dict[str, Any], database_url: str) -> None:
    query = "select email, created_at from users where user_type = 'customer' order by email limit 1"

    assert rows(database_url, query) == [("customer-12346@import.invalid", datetime(2010, 12, 1, 11, 0, tzinfo=UTC))]
    assert rows(database_url, "select count(*) from users where user_type = 'customer'") == [(5,)]


def test_the_original_columns_give_the_same_shop(
    summary: dict[str, Any], database_url: str, postgres_server: PostgresHarness, tmp_path: Path
) -> None:
    """UCI's own header, American dates, customers as 17850.0, titles on the lines, gzip and a byte order mark."""
    with (SMALL / "items.tsv").open(encoding="utf-8") as file:
        titles = {row["item_id"]: row["title"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    with (
        (SMALL / "order_lines.csv").open(encoding="utf-8") as source,
        gzip.open(tmp_path / "OnlineRetail.csv.gz", "wt", encoding="utf-8-sig", newline="") as target,
    ):
        writer = csv.writer(target)
        writer.writerow(
            ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
        )
        for row in csv.DictReader(source):
            at = datetime.fromisoformat(row["ts"])
            customer = f"{row['customer_id']}.0" if row["customer_id"] else ""
            date = f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02d}"
            number = f"C{row['order_id']}" if row["quantity"].startswith("-") else row["order_id"]
            writer.writerow(
                (
                    number,
                    row["item_id"],
                    titles[row["item_id"]],
                    row["quantity"],
                    date,
                    row["unit_price"],
                    customer,
                    row["country"],
                )
            )
    url = postgres_server.url(postgres_server.fresh_database())

    other = loaded(load(url, "online-retail", str(tmp_path), home=tmp_path))

    assert other["facts"]["lines"] == summary["facts"]["lines"]
    assert other["rows"] == summary["rows"]
    same = (
        "select p.title, total, o.created_at, o.status from orders o join order_items using (order_id) join products p"
        " using (product_id) order by 1, 2, 3"
    )
    assert rows(url, same) == rows(database_url, same)


@pytest.fixture(scope="module")
def empty_url(postgres_server: PostgresHarness) -> str:
    return postgres_server.url(postgres_server.fresh_database())


@pytest.mark.parametrize("name", ["cut gzip", "other columns", "not a number"])
def test_a_bad_file_says_where_and_changes_nothing(name: str, empty_url: str, tmp_path: Path) -> None:
    """The command as a whole; the other kinds of damage are told apart in tests/unit/api/operations/load."""
    folder = damaged(tmp_path, name)

    done = load(empty_url, "online-retail", str(folder), home=tmp_path)

    assert done.returncode == 2
    assert BAD[name][1] in done.stderr
    assert done.stdout == ""
    assert rows(empty_url, "select (select count(*) from users), (select count(*) from outbox_events)") == [(0, 0)]
    assert not (tmp_path / "reports").exists()


@pytest.mark.skipif(not REAL.is_dir(), reason="the real set is not on this machine")
@pytest.mark.slow
def test_the_real_set_is_accounted_for_to_the_line(postgres_server: PostgresHarness, tmp_path: Path) -> None:
    url = postgres_server.url(postgres_server.fresh_database())

    summary = loaded(load(url, "online-retail", str(REAL), home=tmp_path))

    lines = summary["facts"]["lines"]
    assert lines["total"] == 540_455 == lines["sold"] + lines["shipping"] + lines["givenBack"] + lines["reported"]
    assert summary["rows"]["order_items"] == lines["sold"]
    assert lines["reported"] / lines["total"] < 0.01
    assert_invariants(url)
