"""Writes a History as rows in one transaction: all of it or nothing."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

import orjson
import polars as pl
import psycopg
from sqlalchemy import update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.catalog.models import ProductCounter
from api.operations.load import rows_catalog, rows_money, rows_orders, rows_parcels, rows_reviews, rows_stock
from api.operations.load.copy import Advance, load_frame
from api.operations.load.errors import LoadError, OtherSetLoaded
from api.operations.load.history import History
from api.orders.popularity import UNITS_SOLD

# Two concurrent loads would both find the database empty. The number is
# arbitrary and only has to be the same everywhere.
ADVISORY_LOCK = 7_305_829
_ANALYSED = (
    "users",
    "products",
    "price_points",
    "product_counters",
    "product_variants",
    "warehouse_stock",
    "inventory_transactions",
    "orders",
    "order_items",
    "parcels",
    "payments",
    "reviews",
    "reviews_by_user",
)
_sold = UNITS_SOLD.subquery("sold")
# A load computes the column that a job maintains in the running shop.
_RANK_PRODUCTS = str(
    update(ProductCounter)
    .values(units_sold_90d=_sold.c.units)
    .where(ProductCounter.product_id == _sold.c.product_id)
    .compile(dialect=PGDialect_psycopg(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]  # SQLAlchemy leaves the dialect untyped
)
Table = tuple[str, pl.DataFrame]
Started = Callable[[str, int], Advance]


@dataclass(frozen=True)
class Loaded:
    """`rows` per table; empty when the same set was loaded already."""

    already: bool
    rows: dict[str, int]


def tables(history: History) -> Iterator[Table]:
    """Every table's rows in an order that satisfies the foreign keys; each
    frame can be dropped before the next is made."""
    reviews = rows_reviews.keyed_reviews(history)
    ratings = None if reviews is None else rows_reviews.ratings(reviews)
    stores = rows_reviews.of_sellers(history, ratings)
    yield from _places_and_people(history, stores)
    products = rows_reviews.rated(rows_catalog.products(history), ratings)
    yield "products", products
    listed = products.select(rows_catalog.LISTED)
    del products
    variants = rows_catalog.keyed_variants(history)
    orders = rows_orders.keyed_orders(history)
    lines = rows_orders.keyed_lines(history, orders, variants)
    returns = rows_money.keyed_returns(history, lines)
    moved = rows_stock.movements(history, variants, lines, returns)
    final = rows_stock.final_stock(variants, moved)
    yield "product_variants", rows_catalog.variants(variants, final)
    points = rows_reviews.rated(rows_catalog.price_points(listed, variants, final), ratings)
    yield "price_points", points
    yield "product_counters", rows_catalog.counters(points)
    del listed, points
    yield "warehouse_stock", rows_stock.warehouse_stock(variants, final)
    yield "inventory_transactions", rows_stock.inventory_transactions(moved)
    del moved
    yield "orders", rows_orders.orders(orders, returns)
    parcels = rows_parcels.keyed_parcels(lines, orders)
    yield "parcels", rows_parcels.parcels(parcels)
    yield "order_items", rows_orders.order_items(history, lines)
    del lines
    steps = rows_orders.steps(history, orders)
    yield "order_events", rows_orders.order_events(steps)
    yield "parcel_events", rows_parcels.parcel_events(parcels, steps)
    del parcels
    yield "outbox_events", rows_orders.outbox_events(history, steps)
    del steps
    payments = rows_money.keyed_payments(history, orders, returns)
    yield "payments", rows_money.payments(payments)
    yield "returns", rows_money.returns(returns)
    yield "return_events", rows_money.return_events(history, returns)
    yield "refunds", rows_money.refunds(returns, payments)
    yield from rows_reviews.tables(history, reviews, ratings, stores)


def _places_and_people(history: History, rated: pl.DataFrame | None) -> Iterator[Table]:
    yield "users", rows_catalog.users(history)
    yield "sellers", rows_catalog.sellers(history, rated)
    yield "categories", rows_catalog.categories(history)
    yield "warehouses", rows_catalog.warehouses(history)


def write_history(database_url: str, history: History, started: Started) -> Loaded:
    """Load in one transaction. `started(table, rows)` announces a table and returns a callback for its progress.

    Raises: OtherSetLoaded, LoadError; the database is then unchanged. The record
    of the load is an outbox event of its own.
    """
    counts: dict[str, int] = {}
    with _connect(database_url) as connection, connection.cursor() as cursor:
        if not _claim(cursor, history.kind, history.fingerprint):
            return Loaded(already=True, rows={})
        # The load has the rows that triggers would make one by one.
        cursor.execute("SET LOCAL souk.listings = 'given'")
        for month in rows_reviews.months(history):
            cursor.execute("SELECT make_review_month(%s)", (month,))
        for table, frame in tables(history):
            counts[table] = load_frame(cursor, table, frame, started(table, frame.height))
            del frame
            gc.collect(0)
        # The shop sorts by best sellers immediately after the load, and the first snapshot already has the values.
        cursor.execute(_RANK_PRODUCTS.encode())
        _record(cursor, history, counts)
        for table in _ANALYSED:
            cursor.execute(psycopg.sql.SQL("ANALYZE {}").format(psycopg.sql.Identifier(table)))
    return Loaded(already=False, rows=counts)


def already_loaded(database_url: str, kind: str, fingerprint: str) -> bool:
    """Whether this set is loaded.

    Raises: OtherSetLoaded when another one of its kind is; LoadError when the database does not answer.
    """
    with _connect(database_url) as connection, connection.cursor() as cursor:
        return _is_loaded(cursor, kind, fingerprint)


def _connect(database_url: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        return psycopg.connect(
            database_url,
            connect_timeout=5,
            application_name="souk-load",
            options="-c timezone=UTC -c synchronous_commit=on",
        )
    except psycopg.OperationalError as error:
        raise LoadError(f"the database does not answer: {str(error).strip()}") from error


def _claim(cursor: psycopg.Cursor[tuple[object, ...]], kind: str, fingerprint: str) -> bool:
    row = cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (ADVISORY_LOCK,)).fetchone()
    if row is None or not row[0]:
        raise LoadError("another load is running on this database; wait for it to end")
    return not _is_loaded(cursor, kind, fingerprint)


def _is_loaded(cursor: psycopg.Cursor[tuple[object, ...]], kind: str, fingerprint: str) -> bool:
    query = "SELECT payload->>'fingerprint' FROM outbox_events WHERE aggregate_type = 'load' AND payload->>'kind' = %s"
    try:
        found = [row[0] for row in cursor.execute(query, (kind,)).fetchall()]
    except psycopg.errors.UndefinedTable as error:
        raise LoadError("the database has no schema yet; run python -m api.operations.migrate first") from error
    if found and fingerprint not in found:
        raise OtherSetLoaded(
            f"another {kind} set is loaded already ({found[0]}, this one is {fingerprint}); use a fresh database"
        )
    return bool(found)


def _record(cursor: psycopg.Cursor[tuple[object, ...]], history: History, counts: dict[str, int]) -> None:
    key = pl.Series("key", [0])
    at = pl.Series("at", [history.opened_at], dtype=pl.Datetime("us", "UTC"))
    load_id = UUID(history.ids.column("load", key, at)[0])
    payload = {
        "kind": history.kind,
        "fingerprint": history.fingerprint,
        "currency": history.currency,
        "rows": counts,
        **history.facts,
    }
    cursor.execute(
        "INSERT INTO outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload, origin,"
        " published_at) VALUES (%s, 'load', %s, 1, 'HistoryLoaded', %s, 'import', now())",
        (UUID(history.ids.column("load_event", key, at)[0]), load_id, orjson.dumps(payload).decode()),
    )
