"""A promotion is redeemed exactly as often as it may be. Real buyers over HTTP from several processes, two API
processes, two codes of one promotion, batches and row locks."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.coupons import promote, redeemed
from tests.harness.fleet import Fleet
from tests.harness.mutants import UNLIMITED_PROMOTIONS
from tests.harness.postgres import PostgresHarness
from tests.harness.rush import rush

LIMIT = 20
# 200 buyers in each seed but the first, which is of the tests that run always.
SEEDS = [pytest.param(1, 40), *(pytest.param(seed, 200, marks=pytest.mark.slow) for seed in range(1, 51))]


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("limit"), env) as parent:
        yield parent


@pytest.fixture(scope="module")
def apis(fleet: Fleet) -> tuple[Server, Server]:
    return fleet.api(), fleet.api()


def redeem_all(apis: tuple[Server, Server], market: Market, name: str, buyers: int) -> Counter[tuple[int, str]]:
    """All buyers at once; every other one with the other code, and every third one for other goods."""
    seller = market.person("seller")
    products = [market.product(seller, stock=buyers, price=10.0) for _ in range(3)]
    codes = (f"{name}-A", f"{name}-B")
    promotion = promote(market, seller, *codes, totalLimit=LIMIT)
    bodies = [market.order_body((products[n % 3], 1), couponCodes=[codes[n % 2]]) for n in range(buyers)]
    counted = rush([(apis[n % 2].url, body, f"{name}-{n}") for n, body in enumerate(bodies)])
    counter, living, released = redeemed(market, promotion)
    print(f"{name}: {buyers} buyers for {LIMIT} redemptions: {dict(counted)}, counter {counter}, living {living}")
    assert (counter, released) == (living, 0)
    assert living == counted[201, ""]
    return counted


@pytest.mark.parametrize(("seed", "buyers"), SEEDS)
def test_a_promotion_is_redeemed_as_often_as_it_may_be(
    apis: tuple[Server, Server], database_url: str, sandbox: Sandbox, seed: int, buyers: int
) -> None:
    market = Market(apis[0], database_url, sandbox)
    counted = redeem_all(apis, market, f"LIMIT-{seed}-{buyers}", buyers)
    assert counted == {(201, ""): LIMIT, (409, "/problems/coupon-not-applied"): buyers - LIMIT}
    sums = "select sum(discount), count(*) from orders where redemptions = 1 and order_id in (select order_id from"
    sums += " coupon_redemptions where code like %s)"
    row = market.sql.execute(sums, (f"LIMIT-{seed}-{buyers}-%",)).fetchone()
    assert row == (Decimal("1.00") * LIMIT, LIMIT)
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    market.close()


def test_mutant_without_the_limit_in_the_statement_is_redeemed_too_often(
    fleet: Fleet, postgres_server: PostgresHarness, sandbox: Sandbox
) -> None:
    name = postgres_server.fresh_database()
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as sql:
        for statement in UNLIMITED_PROMOTIONS:
            sql.execute(statement)
    first, second = (fleet.api(mutant="no limit of redemptions", DATABASE_URL=url) for _ in range(2))
    market = Market(first, url, sandbox)
    counted = redeem_all((first, second), market, "MUTANT", 40)
    assert counted[201, ""] > LIMIT, counted
    assert {violation.check for violation in violations(url)} == {"R-I19-limit"}
    market.close()
    for child in (first, second):
        child.kill9()
    postgres_server.drop_database(name)
