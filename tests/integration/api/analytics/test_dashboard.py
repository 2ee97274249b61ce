"""What the seller's page costs: its statements on Postgres are counted."""

from datetime import date
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from api.analytics.dashboard import dashboard_of
from api.analytics.marts import MartReader
from api.kernel.actor import Actor
from api.kernel.context import open_context
from api.kernel.settings import Settings
from api.orders.models import OrderItem
from api.pricing.queries import rates_to
from tests.harness.wire import watched_wire


@pytest.fixture(scope="module")
def database_url(marketplace_url: str) -> str:
    return marketplace_url


async def test_the_sellers_page_is_six_statements(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days, latest orders, latest returns, scarcest stock, totals of stock, products of the tail; however long the
    history is."""
    for name, value in {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))
    async with open_context(Settings()) as ctx:
        async with ctx.db.read() as tx:
            seller = UUID(str(await tx.scalar(select(OrderItem.seller_id).limit(1))))
        with watched_wire() as wire:
            shown = await dashboard_of(ctx, MartReader(tmp_path / "none.duckdb"), Actor("seller", seller), 30)

    assert len(wire.statements) == len(wire.trips) == 6, wire.trips
    assert len(shown.orders) > 0
    assert shown.stock_totals.variants > 0


async def test_a_page_reads_the_rates_of_its_currencies_and_days(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """And of each pair the one before them that still holds; not every rate ever loaded."""
    with psycopg.connect(database_url) as sql:
        sql.execute(
            "insert into exchange_rates select pair[1], pair[2], date '2026-03-01' + day, day + 1, 'ecb' from (values"
            " (array['EUR', 'USD']), (array['GBP', 'USD']), (array['JPY', 'USD']), (array['EUR', 'GBP'])) p(pair),"
            " unnest(array[0, 3, 9, 14, 20]) day where pair[1] <> 'GBP' or day > 9"
        )
    settings = Settings.model_validate(
        {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": tmp_path}
    )
    first, last = date(2026, 3, 6), date(2026, 3, 15)
    async with open_context(settings) as ctx, ctx.db.read() as tx:
        found = await rates_to(tx, "USD", ["EUR", "GBP", "USD"], first, last)

    held = {
        (currency, day): found.on(date(2026, 3, day), currency, "USD")
        for currency in ("EUR", "GBP", "JPY")
        for day in (5, 6, 10, 14, 15, 31)
    }
    assert {key: rate.day.day for key, rate in held.items() if rate is not None} == {
        ("EUR", 5): 4, ("EUR", 6): 4, ("EUR", 10): 10, ("EUR", 14): 10, ("EUR", 15): 15, ("EUR", 31): 15,
        ("GBP", 15): 15, ("GBP", 31): 15,
    }  # fmt: skip
    assert found.on(date(2026, 3, 3), "EUR", "USD") is None
