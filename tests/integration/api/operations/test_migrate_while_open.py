"""Migrations while the shop is open: filling a new table keeps nobody from writing, and can be interrupted. What one
fills is what the shop says from then on."""

import runpy
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, create_engine

from api.operations import batches
from api.operations.migrate import MIGRATIONS, publish, upgrade
from tests.harness.postgres import PostgresHarness
from tests.harness.quick import few

_VALUES: dict[str, object] = {"numeric": 1, "integer": 1, "jsonb": "{}", "boolean": False}
_COLUMNS = (
    "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO'"
    " AND column_default IS NULL AND is_generated = 'NEVER'"
)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), connect_args={"options": "-c lock_timeout=20000"}
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def put(shop: psycopg.Connection[tuple[object, ...]], table: str, **given: object) -> None:
    """A row with `given` and anything in the other columns that must have a value."""
    asked = {str(name): str(kind) for name, kind in shop.execute(_COLUMNS, (table,)).fetchall()}
    row = {name: uuid4() if kind == "uuid" else _VALUES.get(kind, "x") for name, kind in asked.items()} | given
    names = sql.SQL(", ").join(sql.Identifier(name) for name in row)
    places = sql.SQL(", ").join([sql.Placeholder()] * len(row))
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, places)
    shop.execute(insert, list(row.values()))


@pytest.fixture
def earlier(postgres_server: PostgresHarness) -> Iterator[str]:
    """A shop of the release before: an order whose three lines were returned."""
    name = postgres_server.fresh_database(None)
    url = postgres_server.url(name)
    with connected(url) as connection:
        upgrade(connection, "0006")
    with psycopg.connect(postgres_server.url(name, role="postgres"), autocommit=True) as shop:
        shop.execute("SET session_replication_role = replica")  # rows without the ones that they refer to
        order, seller = uuid4(), uuid4()
        put(shop, "users", user_id=seller)
        put(shop, "orders", order_id=order, currency="EUR", total=3)
        for number in range(3):
            line, product = uuid4(), uuid4()
            put(shop, "products", product_id=product, seller_id=seller, currency="EUR", view_count=number)
            put(shop, "order_items", order_item_id=line, order_id=order, product_id=product, seller_id=seller)
            put(shop, "returns", order_id=order, order_item_id=line, seller_id=seller, status="refunded")
    yield url
    postgres_server.drop_database(name)


@pytest.mark.parametrize("table", few(["returns", "products"], 1))
def test_writes_go_on_while_a_new_table_is_filled(earlier: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migration is held in the middle of its filling, by a lock on one row that the new rows refer to."""
    monkeypatch.setattr(batches, "BATCH", 1)
    with psycopg.connect(earlier) as holder, psycopg.connect(earlier, autocommit=True) as shop:
        key = sql.SQL("{}_id").format(sql.SQL(table.removesuffix("s")))
        last = sql.SQL("SELECT {0} FROM {1} ORDER BY {0} DESC LIMIT 1 FOR UPDATE").format(key, sql.Identifier(table))
        holder.execute(last)
        migration = threading.Thread(target=migrated, args=(earlier,))
        migration.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        deadline = time.monotonic() + 60
        while shop.execute(waits).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        shop.execute("SET lock_timeout = '1s'")
        for written in ("users", "orders", "order_items"):
            shop.execute(sql.SQL("UPDATE {} SET created_at = now()").format(sql.Identifier(written)))
        others = sql.SQL("UPDATE {0} SET created_at = now() WHERE {1} <> (SELECT {1} FROM {0} ORDER BY 1 DESC LIMIT 1)")
        assert shop.execute(others.format(sql.Identifier(table), key)).rowcount == 2
        holder.rollback()
        migration.join(60)

        assert shop.execute("SELECT to_status, count(*) FROM return_events GROUP BY 1 ORDER BY 1").fetchall() == [
            ("refunded", 3),
            ("requested", 3),
        ]
        assert shop.execute("SELECT view_count FROM product_counters ORDER BY 1").fetchall() == [(0,), (1,), (2,)]


def migrated(url: str) -> None:
    with connected(url) as connection:
        upgrade(connection)


def test_a_filling_that_was_interrupted_is_finished_by_the_next_run(
    earlier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH", 1)
    with psycopg.connect(earlier) as holder, connected(earlier) as connection:
        connection.exec_driver_sql("SET lock_timeout = '200ms'")
        connection.commit()
        holder.execute("SELECT 1 FROM returns ORDER BY return_id DESC LIMIT 1 FOR UPDATE")
        with pytest.raises(Exception, match="lock timeout"):
            upgrade(connection)
        connection.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM return_events").scalar() == 4
    with connected(earlier) as connection:
        upgrade(connection)
        publish(connection)
        connection.commit()
        assert connection.exec_driver_sql("SELECT count(*) FROM return_events").scalar() == 6


def test_publishing_again_waits_for_no_reader_and_no_writer(database_url: str) -> None:
    with psycopg.connect(database_url) as writer, connected(database_url) as connection:
        writer.execute("LOCK TABLE orders, products, returns IN ROW EXCLUSIVE MODE")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '200ms'")
        publish(connection)
        connection.rollback()


def test_of_a_migration_after_which_postgres_refuses_updates_nothing_is_kept(database_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy)
    newest = max(path.name[:4] for path in (copy / "versions").glob("0*.py"))
    (copy / "versions" / "9999_generated.py").write_text(
        f'from alembic import op\nrevision, down_revision = "9999", "{newest}"\n'
        "def upgrade():\n"
        "    op.execute('ALTER TABLE products ADD COLUMN shouted text GENERATED ALWAYS AS (upper(title)) STORED')\n"
    )
    with connected(database_url) as connection:
        with pytest.raises(SystemExit, match="table products is published with REPLICA IDENTITY FULL and the gener"):
            upgrade(connection, migrations=copy)
        connection.rollback()
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == newest
        column = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'shouted'"
        assert connection.exec_driver_sql(column).scalar() == 0


# GTINs of the variants of a product, those of removed ones in brackets, and the one that says which article it is.
ARTICLES = {
    "none": ((), None),
    "one": (("04006381333931",), "04006381333931"),
    "the lowest of two": (("09780201379624", "04006381333931"), "04006381333931"),
    "of one that is left": (("[00000000000017]", "09780201379624"), "09780201379624"),
    "of none that is left": (("[04006381333931]",), None),
    "of its own company": (("02912345678903", "00200000000008"), None),
    "of its own company and everywhere": (("00212345678901", "04006381333931"), "04006381333931"),
}
LEFT_OUT = (
    " AND removed_at IS NULL", " AND gtin !~ '^.(02|04|2)|^000000[02]'",
)  # fmt: skip


def test_products_are_the_articles_of_their_numbers_when_articles_begin(postgres_server: PostgresHarness) -> None:
    """Without one of its conditions, or by the highest number, the filling is another."""
    name = postgres_server.fresh_database(None)
    url = postgres_server.url(name)
    place = runpy.run_path(str(MIGRATIONS / "versions" / "0059_articles.py"))["_PLACE"]
    with connected(url) as connection:
        upgrade(connection, "0058")
    with psycopg.connect(postgres_server.url(name, role="postgres"), autocommit=True) as shop:
        shop.execute("SET session_replication_role = replica")  # rows without the ones that they refer to
        for title, (gtins, _) in ARTICLES.items():
            product = uuid4()
            put(shop, "products", product_id=product, title=title, currency="EUR")
            for gtin in gtins:
                removed = datetime.now(UTC) if gtin.startswith("[") else None
                put(shop, "product_variants", product_id=product, gtin=gtin.strip("[]"), removed_at=removed)

        def articles() -> dict[str, UUID | None]:
            rows = shop.execute("SELECT title, article_id FROM products").fetchall()
            return {str(title): article for title, article in rows}

        def filled_by(statement: str) -> dict[str, UUID | None]:
            shop.execute("UPDATE products SET article_id = NULL")
            shop.execute(statement)
            return articles()

        with connected(url) as connection:
            upgrade(connection, "0059")

        right = {title: None if gtin is None else UUID(gtin.zfill(32)) for title, (_, gtin) in ARTICLES.items()}
        assert articles() == right
        assert filled_by(place) == right
        for part in LEFT_OUT:
            assert part in place
            assert filled_by(place.replace(part, "")) != right
        assert filled_by(place.replace("min(gtin)", "max(gtin)")) != right
        # What was saved meanwhile says it itself.
        shop.execute("UPDATE products SET article_id = %s WHERE title = 'one'", (UUID(int=1),))
        shop.execute(place)
        assert articles()["one"] == UUID(int=1)
    postgres_server.drop_database(name)
