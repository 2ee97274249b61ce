"""The database goes away in the middle of a checkout: the buyer hears that the order is safe, and gets it with the same
key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from api.checkout.commands import complete_abandoned, place_order
from api.checkout.errors import OrderPending
from api.checkout.schemas import PlaceOrder
from api.inventory.warehouses import kept
from api.kernel.actor import Actor
from api.kernel.context import open_context
from api.kernel.idempotency import RequestKey
from api.kernel.settings import Settings
from tests.harness.api import Server
from tests.harness.buying import Market
from tests.harness.shop import Person
from tests.harness.wire import watched_wire


@dataclass
class Purchase:
    """A guest's order of two units, in this process."""

    product: dict[str, Any]
    request: PlaceOrder
    actor: Actor
    key: RequestKey


@pytest.fixture
def purchase(market: Market, seller: Person, server: Server, monkeypatch: pytest.MonkeyPatch) -> Purchase:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    product = market.product(seller, stock=5)
    request = PlaceOrder.model_validate(market.order_body((product, 2), email="guest@example.com"))
    actor = Actor("anonymous", session_id=f"session-outage-{product['productId']}")
    return Purchase(product, request, actor, RequestKey(actor.key, "outage", "POST /api/v1/orders", b"x" * 32))


@contextmanager
def outage(*, after: int) -> Iterator[None]:
    """The connection breaks in the statement that follows so many."""
    statements = 0

    def count(_: str) -> None:
        nonlocal statements
        statements += 1
        if statements == after + 1:
            raise psycopg.OperationalError("the connection is closed")

    with watched_wire(before=count):
        yield


@pytest.mark.parametrize("survived", [2, 3])
async def test_an_outage_midway_never_says_that_nothing_happened(
    market: Market, purchase: Purchase, survived: int
) -> None:
    """`survived` of a checkout's 4 statements reach the database; the second one takes the key."""
    async with open_context(Settings()) as ctx:
        async with ctx.db.read() as tx:
            await kept.origins_in(tx, None)  # as every process does once
        with pytest.raises(OrderPending), outage(after=survived):
            await place_order(ctx, purchase.actor, purchase.key, purchase.request)
        market.sql.execute(
            "update checkouts set lease_expires_at = now() - interval '1 second' where actor_key = %s",
            (purchase.actor.key,),
        )
        assert await complete_abandoned(ctx) == 1
        answer = await place_order(ctx, purchase.actor, purchase.key, purchase.request)

    assert answer.status_code == 201
    assert answer.headers["idempotent-replayed"] == "true"
    assert market.stock_of(purchase.product).available == 3


@pytest.mark.parametrize("survived", [0, 1])
async def test_an_outage_before_the_first_commit_leaves_nothing(
    market: Market, purchase: Purchase, survived: int
) -> None:
    async with open_context(Settings()) as ctx:
        with pytest.raises(psycopg.OperationalError), outage(after=survived):
            await place_order(ctx, purchase.actor, purchase.key, purchase.request)
        keys = "select count(*) from idempotency_keys where actor_key = %s"
        assert market.scalar(keys, (purchase.actor.key,)) == 0
        assert market.scalar("select count(*) from checkouts where actor_key = %s", (purchase.actor.key,)) == 0
        assert market.stock_of(purchase.product) == (5, 0)
        answer = await place_order(ctx, purchase.actor, purchase.key, purchase.request)

    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers
    assert market.stock_of(purchase.product).available == 3
