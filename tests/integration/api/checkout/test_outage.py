"""The database goes away in the middle of a checkout: the buyer hears that the order is safe, and gets it with the same
key."""

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api.checkout.commands import complete_abandoned, place_order
from api.checkout.errors import OrderPending
from api.checkout.schemas import PlaceOrder
from api.kernel.actor import Actor
from api.kernel.context import open_context
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.shop import Person


@pytest.mark.parametrize("survived", [2, 3, 4, 5, 6, 7])
async def test_an_outage_midway_never_says_that_nothing_happened(
    market: Market, seller: Person, server: Server, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """`survived` of a checkout's 8 statements reach the database; the first one takes the key."""
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    product = market.product(seller, stock=5)
    request = PlaceOrder.model_validate(market.order_body((product, 2), email="guest@example.com"))
    actor = Actor("anonymous", session_id=f"session-outage-{survived}")
    key = RequestKey(actor.key, f"outage-{survived}", "POST /api/v1/orders", b"x" * 32)
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1
        if statements == survived + 1:
            raise OperationalError("", {}, psycopg.OperationalError("the connection is closed"))

    async with open_context(Settings()) as ctx:
        for engine in (ctx.db._writer, ctx.db._reader):  # noqa: SLF001 - counting what crosses the wire is the test
            event.listen(engine.sync_engine, "before_cursor_execute", count)
        with pytest.raises(OrderPending):
            await place_order(ctx, actor, key, request)
        market.sql.execute(
            "update checkouts set lease_expires_at = now() - interval '1 second' where actor_key = %s", (actor.key,)
        )
        assert await complete_abandoned(ctx) == 1
        answer = await place_order(ctx, actor, key, request)

    assert answer.status_code == 201
    assert answer.headers["idempotent-replayed"] == "true"
    assert market.stock_of(product).available == 3
