"""R-P1: the last units are sold once. Real buyers over HTTP from several processes, two API processes, one hot
variant."""

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.fleet import Fleet
from tests.harness.mutants import UNGUARDED_CONSTRAINTS
from tests.harness.postgres import PostgresHarness
from tests.harness.rush import rush

BUYERS, UNITS = 60, 20
SEEDS = [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 51))]


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("oversell"), env) as parent:
        yield parent


def sell_out(apis: tuple[Server, Server], database_url: str, sandbox: Sandbox, name: str) -> None:
    """BUYERS at once for UNITS of a new product: exactly UNITS are sold, everybody else hears why not, every invariant
    holds."""
    first, second = apis
    market = Market(first, database_url, sandbox)
    product = market.product(market.person("seller"), stock=UNITS, price=10.0)
    body = market.order_body((product, 1))
    counted = rush([((first, second)[n % 2].url, body, f"{name}-{n}") for n in range(BUYERS)])
    print(f"R-P1 {name}: {BUYERS} buyers for {UNITS} units: {dict(counted)}")
    assert counted == {(201, ""): UNITS, (409, "/problems/out-of-stock"): BUYERS - UNITS}
    assert market.stock_of(product).available == 0
    sold = (
        "select sum(i.quantity) from order_items i join orders o using (order_id) where product_id = %s and o.status ="
        " 'confirmed'"
    )
    assert market.scalar(sold, (product["productId"],)) == UNITS
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    market.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_units_are_sold_once(fleet: Fleet, database_url: str, sandbox: Sandbox, seed: int) -> None:
    """At the isolation the shop runs with. The guards in the statement hold by themselves."""
    sell_out(apis(fleet), database_url, sandbox, f"read-committed-{seed}")


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_units_are_sold_once_at_serializable_too(
    fleet: Fleet, database_url: str, sandbox: Sandbox, seed: int
) -> None:
    """SERIALIZABLE first, READ COMMITTED after a conflict."""
    children = [fleet.api(SOUK_CHECKOUT_ISOLATION="SERIALIZABLE") for _ in range(2)]
    try:
        sell_out((children[0], children[1]), database_url, sandbox, f"serializable-{seed}")
    finally:
        for child in children:
            child.kill9()


def test_orders_that_share_variants_in_opposite_order_do_not_deadlock(
    fleet: Fleet, database_url: str, sandbox: Sandbox
) -> None:
    first, second = apis(fleet)
    market = Market(first, database_url, sandbox)
    seller = market.person("seller")
    a, b, c = (market.product(seller, stock=30, price=10.0) for _ in range(3))
    bodies = [
        market.order_body((a, 1), (b, 1)),
        market.order_body((b, 1), (c, 1), (a, 1)),
        market.order_body((c, 1), (a, 1)),
    ]
    counted = rush([((first, second)[n % 2].url, bodies[n % 3], f"opposite-{n}") for n in range(45)])
    sold = Counter(n % 3 for n in range(45))
    left = [30 - sold[0] - sold[1] - sold[2], 30 - sold[0] - sold[1], 30 - sold[1] - sold[2]]
    assert set(counted) <= {(201, ""), (409, "/problems/out-of-stock")}
    assert counted[201, ""] == 30, "every order takes one of the 30 units of the first product"
    assert left[0] < 0
    assert market.stock_of(a).available == 0
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    market.close()


def test_mutant_without_the_guards_oversells(
    fleet: Fleet, postgres_server: PostgresHarness, database_url: str, sandbox: Sandbox
) -> None:
    name = postgres_server.fresh_database()
    url = postgres_server.url(name)
    with psycopg.connect(url, autocommit=True) as sql:
        for statement in UNGUARDED_CONSTRAINTS:
            sql.execute(statement)
    children = [fleet.api(mutant="read then write", DATABASE_URL=url) for _ in range(2)]
    market = Market(children[0], url, sandbox)
    product = market.product(market.person("seller"), stock=5, price=10.0)
    body = market.order_body((product, 1))
    counted = rush([(children[n % 2].url, body, f"mutant-{n}") for n in range(40)])
    print(f"R-P1 mutant: 40 buyers for 5 units: {dict(counted)}")
    assert counted[201, ""] > 5, f"{dict(counted)}\n{children[0].log.read_text()[-3000:]}"
    assert "R-I31-owed" in {violation.check for violation in violations(url)}
    market.close()
    for child in children:
        child.kill9()
    postgres_server.drop_database(name)


def apis(fleet: Fleet) -> tuple[Server, Server]:
    """The module's two API processes, started when first needed."""
    running = fleet.living_apis()[:2]
    first, second = running if len(running) == 2 else [fleet.api() for _ in range(2)]
    return first, second
