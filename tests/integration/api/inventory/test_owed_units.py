"""Units that a warehouse may owe are sold exactly: a crowd from several processes gets what is there and what may be
owed, and no more; what comes in afterwards is given away once, by however many workers."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from api.orders.backorders.commands import cover
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.fleet import Fleet
from tests.harness.mailing import mailing_context
from tests.harness.mutants import UNGUARDED_CONSTRAINTS
from tests.harness.postgres import PostgresHarness
from tests.harness.rush import rush

BUYERS, STOCK, LIMIT = 40, 5, 10
SEEDS = [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 21))]
STATES = """
    select p.status, sum(i.quantity) from parcels p join order_items i using (parcel_id)
    where i.variant_id = %s and p.status <> 'cancelled' group by 1"""
# How often each parcel of the product became ready.
READY = """
    select count(*), count(distinct e.parcel_id) from parcel_events e
    where e.from_status = 'backordered' and e.to_status = 'confirmed'
      and e.parcel_id in (select parcel_id from order_items where variant_id = %s)"""
LEVEL = "select available, owed, reserved from warehouse_stock where variant_id = %s"


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("owed"), env) as parent:
        parent.api()
        parent.api()
        yield parent


def crowd(apis: list[Server], market: Market, name: str) -> tuple[str, Counter[tuple[int, str]]]:
    """BUYERS at once for STOCK units of a new product and LIMIT that may be owed: (variant, answers)."""
    seller = market.person("seller")
    product = market.product(seller, stock=STOCK, price=10.0)
    variant = product["variants"][0]["variantId"]
    place = market.scalar("select warehouse_id from warehouse_stock where variant_id = %s", (variant,))
    answer = market.client.put(
        f"/api/v1/inventory/variants/{variant}/warehouses/{place}/backorders",
        json={"limit": LIMIT},
        headers=seller.headers,
    )
    assert answer.status_code == 200, answer.text
    body = market.order_body((product, 1))
    return variant, rush([(apis[n % len(apis)].url, body, f"{name}-{n}") for n in range(BUYERS)], len(apis))


def received(market: Market, variant: str, units: int) -> None:
    """The seller books units that came; an administrator may too."""
    place = str(market.scalar("select warehouse_id from warehouse_stock where variant_id = %s", (variant,)))
    body: dict[str, Any] = {"variantId": variant, "warehouseId": place, "change": units}
    headers = {**market.admin().headers, "Idempotency-Key": next(market.keys)}
    answer = market.client.post("/api/v1/inventory/adjustments", json=body, headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_crowd_gets_what_is_there_and_what_may_be_owed(
    fleet: Fleet, sandbox: Sandbox, redis_url: str, tmp_path: Path, seed: int
) -> None:
    database_url = fleet.apis[0].env["DATABASE_URL"]
    market = Market(fleet.apis[0], database_url, sandbox)

    variant, counted = crowd(fleet.apis, market, f"owed-{seed}")

    print(f"R-P1 owed: {BUYERS} buyers, {STOCK} units and {LIMIT} that may be owed: {dict(counted)}")
    assert counted == {(201, ""): STOCK + LIMIT, (409, "/problems/out-of-stock"): BUYERS - STOCK - LIMIT}
    assert market.sql.execute(LEVEL, (variant,)).fetchall() == [(0, LIMIT, 0)]
    assert dict(market.sql.execute(STATES, (variant,)).fetchall()) == {"confirmed": STOCK, "backordered": LIMIT}
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    async with (
        mailing_context(database_url, redis_url, tmp_path / "one") as one,
        mailing_context(database_url, redis_url, tmp_path / "other") as other,
    ):
        for units, served in ((4, 4), (3, 7), (9, 10)):
            received(market, variant, units)
            await asyncio.gather(*(cover(ctx) for ctx in (one, other) for _ in range(2)))
            assert market.sql.execute(READY, (variant,)).fetchone() == (served, served)
    assert market.sql.execute(LEVEL, (variant,)).fetchall() == [(6, 0, 0)]
    assert dict(market.sql.execute(STATES, (variant,)).fetchall()) == {"confirmed": STOCK + LIMIT}
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    market.close()


def test_without_the_limit_in_the_statement_more_is_sold_than_may_be_owed(
    postgres_server: PostgresHarness, redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    name = postgres_server.fresh_database()
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as sql:
        for statement in UNGUARDED_CONSTRAINTS:
            sql.execute(statement.encode())
    env = {"DATABASE_URL": url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path, env) as fleet:
        apis = [fleet.api(mutant="no limit of what is owed") for _ in range(2)]
        market = Market(apis[0], url, sandbox)
        _, counted = crowd(apis, market, "mutant")
        print(f"R-P1 owed, mutant: {dict(counted)}")
        assert counted[201, ""] > STOCK + LIMIT
        assert "R-I31-owed" in {violation.check for violation in violations(url)}
        market.close()
