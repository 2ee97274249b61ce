"""Data flows by the arrows only: a row put into Postgres by hand reaches every station, and none of them while CDC
stands still."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import duckdb
import httpx
import pytest

from features.online import OnlineStore
from tests.harness.platform import Platform
from tests.harness.souk import wait_for
from warehouse.lake.behaviour import attach_events
from warehouse.lake.read import connect, latest_watermark, read_changes


@dataclass(frozen=True)
class Sale:
    """A line put into the shop's tables by hand."""

    order_id: str
    user_id: str
    product_id: str


@dataclass(frozen=True)
class Seen:
    """What each station knows of a sale: change log, mart, online store, and the products recommended to the
    shopper."""

    in_changes: bool
    in_mart: bool
    in_online_store: bool
    recommended: tuple[str, ...]


def known_shopper(platform: Platform, place: int) -> str:
    """Somebody with at least three orders; another one for every `place`."""
    with platform.connect() as connection:
        row = connection.execute(
            "SELECT user_id::text FROM orders WHERE user_id IS NOT NULL GROUP BY 1 HAVING count(*) >= 3 ORDER BY 1"
            " LIMIT 1 OFFSET %s",
            [place],
        ).fetchone()
    assert row is not None
    return str(row[0])


def sell(platform: Platform, user_id: str, product_id: str) -> Sale:
    """INSERT an order of one piece, as psql would; the line is a copy of the product's cheapest variant."""
    order_id = str(uuid4())
    with platform.connect() as connection:
        connection.execute(
            """
            INSERT INTO orders (order_id, order_number, user_id, status, currency, subtotal, tax, shipping_fee,
            discount, total,
                                payment_method, payment_status, shipping_address, country, delivery_speed, origin,
                                created_at, updated_at)
            SELECT %(order)s, %(number)s, user_id, 'confirmed', currency, 10, 0, 0, 0, 10,
                   payment_method, payment_status, shipping_address, country, delivery_speed, origin, now(), now()
            FROM orders WHERE user_id = %(user)s ORDER BY created_at LIMIT 1
            """,
            {"order": order_id, "number": f"HAND-{order_id[:12]}", "user": user_id},
        )
        connection.execute(
            """
            INSERT INTO order_items (order_item_id, order_id, product_id, variant_id, seller_id, warehouse_id, quantity,
            price_at_purchase,
                                     subtotal, status, created_at)
            SELECT %(item)s, %(order)s, v.product_id, v.variant_id, p.seller_id, v.warehouse_id, 1, 10, 10, 'confirmed',
            now()
            FROM product_variants v JOIN products p USING (product_id) WHERE v.product_id = %(product)s LIMIT 1
            """,
            {"item": str(uuid4()), "order": order_id, "product": product_id},
        )
    return Sale(order_id, user_id, product_id)


def recommended(platform: Platform, user_id: str, limit: int = 300) -> tuple[str, ...]:
    answer = httpx.post(
        f"{platform.url('serving')}/v1/for-you", json={"userId": user_id, "recent": [], "limit": limit}, timeout=10
    )
    assert answer.status_code == 200
    return tuple(item["productId"] for item in answer.json()["items"])


def in_changes(platform: Platform, order_id: str) -> bool:
    mark = latest_watermark(platform.machine.settings.lake_uri)
    assert mark is not None
    return order_id in read_changes(platform.machine.settings.lake_uri, "orders", mark)["order_id"].to_pylist()


def browse(platform: Platform, product_id: str) -> str:
    """A guest looks at a product; returns the event's id."""
    event = str(uuid4())
    answer = httpx.post(
        f"{platform.url('api')}/api/v1/events",
        json={"events": [{"type": "view", "eventId": event, "productId": product_id, "sessionId": f"guest-{event}"}]},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    return event


def landed(platform: Platform, event: str) -> bool:
    with connect() as con:
        attach_events(con, platform.machine.settings.lake_uri)
        query = "SELECT count(*) FROM behaviour.behaviour_events WHERE event_id = ? AND NOT is_bot"
        return con.execute(query, [event]).fetchone() == (1,)


def sessions_with(platform: Platform, event: str) -> object:
    with duckdb.connect(str(platform.machine.settings.marts_path), read_only=True) as marts:
        query = "SELECT views, is_bot FROM fct_sessions WHERE session_id = ?"
        return marts.execute(query, [f"client:{event}"]).fetchall()


def look(platform: Platform, store: OnlineStore, sale: Sale) -> Seen:
    with duckdb.connect(str(platform.machine.settings.marts_path), read_only=True) as marts:
        row = marts.execute("SELECT count(*) FROM fct_order_items WHERE order_id = ?", [sale.order_id]).fetchone()
    shopper = store.read_user(sale.user_id)
    return Seen(
        in_changes=in_changes(platform, sale.order_id),
        in_mart=row == (1,),
        in_online_store=shopper is not None and sale.product_id in shopper.bought,
        recommended=recommended(platform, sale.user_id),
    )


@contextmanager
def stopped(platform: Platform, service: str) -> Iterator[None]:
    """The process stands still (SIGSTOP), as if it were not there."""
    pid = platform.pid(service)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def store(platform: Platform) -> Iterator[OnlineStore]:
    online = OnlineStore(platform.machine.redis_url)
    online.warm(180)
    yield online
    online.close()


@pytest.fixture
def sales(platform: Platform) -> Iterator[list[Sale]]:
    """What a test put in by hand is taken out again: it has no payment and no stock movement, and other tests check the
    books."""
    made: list[Sale] = []
    yield made
    with platform.connect() as connection:
        connection.execute(
            "DELETE FROM order_items WHERE order_id = ANY(%s::uuid[])", [[sale.order_id for sale in made]]
        )
        connection.execute("DELETE FROM orders WHERE order_id = ANY(%s::uuid[])", [[sale.order_id for sale in made]])


def test_a_row_inserted_by_hand_reaches_every_station(
    platform: Platform, store: OnlineStore, sales: list[Sale]
) -> None:
    shopper = known_shopper(platform, 0)
    # what would be shown first is what the shopper buys now, so that the answer must change
    wanted = recommended(platform, shopper)[0]

    sale = sell(platform, shopper, wanted)
    sales.append(sale)
    visit = browse(platform, wanted)
    wait_for(lambda: in_changes(platform, sale.order_id), 60)
    wait_for(lambda: landed(platform, visit), 60)
    wait_for(lambda: platform.status()["behaviour"]["streamLength"] == 0, 60)  # trimmed once it had landed
    platform.module("orchestration.graph.pipeline", "--quick", "--from-start")

    after = look(platform, store, sale)
    assert (after.in_changes, after.in_mart, after.in_online_store) == (True, True, True)
    assert after.recommended
    assert wanted not in after.recommended
    assert sessions_with(platform, visit) == [(1, False)]


def test_with_cdc_stopped_it_arrives_nowhere(platform: Platform, store: OnlineStore, sales: list[Sale]) -> None:
    shopper = known_shopper(platform, 1)
    wanted = recommended(platform, shopper)[0]

    with stopped(platform, "cdc"):
        sale = sell(platform, shopper, wanted)
        sales.append(sale)
        # everything downstream runs and succeeds, on what the lake has
        platform.module("transforms.build")
        platform.module("features.materialise")

        seen = look(platform, store, sale)
        assert (seen.in_changes, seen.in_mart, seen.in_online_store) == (False, False, False)
        assert wanted in seen.recommended  # a product known to be bought is never shown

    wait_for(lambda: in_changes(platform, sale.order_id), 120)
