"""A noun's SQL uses its own tables: no write to another noun's, and reads only where that saves a round trip.

The rules leave out `invariants.py`, which compares nouns, and `api/operations`, which works on the whole database.
"""

import re

import pytest

from tests.architecture.ownership import (
    COLUMN_OWNERS,
    foreign_reads,
    foreign_writes,
    sql_outside_statements,
    writers_of_foreign_columns,
)
from tests.architecture.source import ROOT, owners, shop, tables_in, with_file

QUOTE = "QUOTED is one of the statements of an order that tests/integration/api/inventory/test_inventory.py counts"
IN_FULL = "tests/integration/api/orders/test_orders.py counts that an order in full is one round trip"
LIVE = "tests/integration/api/analytics/test_dashboard.py counts the statements of the seller's page"
CATEGORY = "tests/integration/api/test_round_trips.py counts it: a category belongs to products, its sales to orders"
STOCK = "tests/integration/api/test_round_trips.py counts them: stock is a column of the variant, sold by its seller"
# (file, table of another noun) -> why one statement reads both. An unneeded line fails the test: this list
# may only get shorter. A new line needs a test that counts the round trips, or a benchmark.
READS = {
    ("api/analytics/live_sales.py", "order_items"): LIVE,
    ("api/analytics/live_sales.py", "orders"): LIVE,
    ("api/analytics/live_sales.py", "products"): LIVE,
    ("api/analytics/live_sales.py", "return_events"): LIVE,
    ("api/analytics/live_sales.py", "returns"): LIVE,
    ("api/checkout/statements.py", "addresses"): QUOTE,
    ("api/checkout/statements.py", "categories"): QUOTE,
    ("api/checkout/statements.py", "orders"): QUOTE,
    ("api/checkout/statements.py", "product_images"): QUOTE,
    ("api/checkout/statements.py", "product_variants"): QUOTE,
    ("api/checkout/statements.py", "products"): QUOTE,
    ("api/checkout/statements.py", "warehouse_stock"): QUOTE,
    ("api/checkout/statements.py", "warehouse_editions"): QUOTE,
    ("api/inventory/statements.py", "product_variants"): STOCK,
    ("api/inventory/statements.py", "products"): STOCK,
    ("api/orders/popularity.py", "products"): CATEGORY,
    ("api/orders/queries/detail.py", "payments"): IN_FULL,
    ("api/orders/queries/detail.py", "sellers"): IN_FULL,
    ("api/orders/parcels/places.py", "warehouses"): IN_FULL,
}
# From an earlier api/orders/refunds.py, in which orders wrote rows of payments.
REFUND = """
from api.kernel.statement import Part

_REFUNDED = '''gate AS (
    UPDATE refunds SET status = 'refunded', gateway_reference = :reference WHERE refund_id = :refund_id RETURNING amount
), given AS (
    UPDATE payments p SET refunded_amount = p.refunded_amount + gate.amount, updated_at = now() FROM gate
    WHERE p.payment_id = :payment_id RETURNING 1
)'''
"""
# From earlier versions of api/inventory/stocktake.py and api/catalog/commands/parts.py.
CORE = """
from sqlalchemy import func, select, update
from api.catalog.models import Product, ProductVariant

async def set_stock(tx, actor, move):
    rows = await tx.all(select(ProductVariant.variant_id).join(Product).with_for_update(key_share=True))
    changed = {"stock_quantity": move.before + move.change, "updated_at": func.now()}
    await tx.execute(update(ProductVariant).where(ProductVariant.variant_id == move.variant_id).values(changed))
"""


def test_reads_of_other_nouns_tables_are_listed() -> None:
    assert foreign_reads(shop()) == set(READS)


def test_every_listed_read_names_the_test_that_counts_it() -> None:
    named = {reason: re.match(r"(?:.* )?(tests/[\w/]+\.py)", reason) for reason in READS.values()}
    paths = {reason: ROOT / match.group(1) for reason, match in named.items() if match is not None}
    counting = {
        reason for reason, path in paths.items() if path.exists() and "watched_wire(" in path.read_text("utf-8")
    }

    assert set(READS.values()) - counting == set()


def test_no_noun_writes_another_nouns_tables() -> None:
    assert foreign_writes(shop()) == set()


def test_stock_is_written_by_inventory_alone() -> None:
    assert list(writers_of_foreign_columns(shop())) == []
    assert {table for table, _ in COLUMN_OWNERS} <= set(owners())


def test_sql_text_stands_in_statements() -> None:
    assert list(sql_outside_statements(shop())) == []


@pytest.mark.parametrize(("noun", "writes"), [("orders", {"payments", "refunds"}), ("payments", set())])
def test_a_text_that_writes_another_nouns_table_is_seen(noun: str, writes: set[str]) -> None:
    path = f"api/{noun}/statements.py"

    assert {table for file, table in foreign_writes(with_file(path, REFUND)) if file == path} == writes


@pytest.mark.parametrize(
    ("noun", "reads", "writes", "complaints"),
    [
        ("inventory", {"products", "product_variants"}, set(), 0),
        ("catalog", set(), set(), 1),
        ("orders", {"products", "product_variants"}, {"product_variants"}, 1),
    ],
)
def test_a_core_statement_on_another_nouns_table_is_seen(
    noun: str, reads: set[str], writes: set[str], complaints: int
) -> None:
    path = f"api/{noun}/example.py"
    source = with_file(path, CORE)

    assert {table for file, table in foreign_reads(source) if file == path} == reads
    assert {table for file, table in foreign_writes(source) if file == path} == writes
    assert len([line for line in writers_of_foreign_columns(source) if line.startswith(path)]) == complaints


def test_the_owner_of_a_column_writes_no_other_column() -> None:
    path = "api/inventory/statements.py"
    text = '_SET = "UPDATE product_variants SET stock_quantity = 1, price = 2 WHERE variant_id = :v"'

    assert (path, "product_variants") in foreign_writes(with_file(path, text))
    assert (path, "product_variants") not in foreign_writes(with_file(path, text.replace(", price = 2", "")))


@pytest.mark.parametrize(
    ("file", "seen"), [("queries.py", True), ("commands.py", True), ("statements.py", False), ("invariants.py", False)]
)
def test_sql_text_outside_statements_is_seen(file: str, seen: bool) -> None:
    path = f"api/orders/{file}"
    text = 'from sqlalchemy import text\n_COUNT = text("SELECT count(*) FROM orders o WHERE o.user_id = :user_id")\n'

    assert any(line.startswith(path) for line in sql_outside_statements(with_file(path, text))) is seen


@pytest.mark.parametrize(
    ("sql", "read", "written"),
    [
        ("SELECT 1 FROM orders o, payments p WHERE o.order_id = p.order_id", {"orders", "payments"}, set()),
        ("SELECT 1 FROM (SELECT 1 FROM carts) c LEFT JOIN users u USING (user_id)", {"carts", "users"}, set()),
        ("INSERT INTO returns (return_id) SELECT x FROM orders FOR UPDATE OF o", {"orders"}, {"returns"}),
        ("INSERT INTO carts (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2", set(), {"carts"}),
        ("DELETE FROM cart_items USING carts c WHERE c.x IS DISTINCT FROM orders", {"carts"}, {"cart_items"}),
        ("WITH payments_of AS (SELECT 1 FROM payments) SELECT orders FROM payments_of", {"payments"}, set()),
        ("UPDATE orders o SET status = 'x' FROM refunds r WHERE r.order_id = o.order_id", {"refunds"}, {"orders"}),
        ("SELECT extract(day FROM created_at), 'FROM users' AS returns FROM orders", {"orders"}, set()),
    ],
)
def test_tables_of_a_statement(sql: str, read: set[str], written: set[str]) -> None:
    touched = tables_in(sql)

    assert (set(touched.read), set(touched.written)) == (read, written)
