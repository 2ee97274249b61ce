"""What the seller's page costs: its statements on Postgres are counted."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event, select

from api.analytics.dashboard import dashboard_of
from api.analytics.marts import MartReader
from api.kernel.actor import Actor
from api.kernel.context import open_context
from api.kernel.settings import Settings
from api.orders.models import OrderItem


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
    sent: list[str] = []
    async with open_context(Settings()) as ctx:
        async with ctx.db.read() as tx:
            # A new connection asks questions of its own, so they come before the count.
            seller = UUID(str(await tx.scalar(select(OrderItem.seller_id).limit(1))))
        event.listen(ctx.db._reader.sync_engine, "before_cursor_execute", lambda *args: sent.append(args[2]))  # noqa: SLF001 - counting what crosses the wire is the test
        shown = await dashboard_of(ctx, MartReader(tmp_path / "none.duckdb"), Actor("seller", seller), 30)

    assert len(sent) == 6, sent
    assert len(shown.orders) > 0
    assert shown.stock_totals.variants > 0
