"""R-P1 with two warehouses: a crowd wants a hot product, or two products in either order, from several processes. No
unit is sold twice, no two orders wait for each other, and what the parcels hold is what was reserved and sold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import violations
from tests.harness.api import Server
from tests.harness.buying import SANDBOX_KEY, Market, Sandbox, buying_env
from tests.harness.fleet import Fleet
from tests.harness.rush import rush

SMALL, WHOLE = 40, 200
# A reservation, sum of the lines of parcels or number of parcels that does not agree with the others.
UNEQUAL = """
    with lines as (
        select i.order_id, i.variant_id, p.warehouse_id, sum(i.quantity) as units
        from order_items i join parcels p using (parcel_id)
        where p.order_id = i.order_id and p.seller_id = i.seller_id and p.warehouse_id = i.warehouse_id
        group by 1, 2, 3),
    held as (
        select order_id, variant_id, warehouse_id, sum(quantity) as units from inventory_reservations
        where status = 'confirmed' group by 1, 2, 3)
    select 'line' as of, order_id from lines full join held using (order_id, variant_id, warehouse_id)
    where lines.units is distinct from held.units
    union all
    select 'parcels', order_id from orders o
    where (select count(*) from parcels p where p.order_id = o.order_id)
       <> (select count(distinct (seller_id, warehouse_id)) from order_items i where i.order_id = o.order_id)"""
# What was put into each warehouse, less what parcels took out of it.
LEFT = """
    select w.code, s.available, s.reserved, (
        select sum(quantity_change) from inventory_transactions t
        where t.variant_id = s.variant_id and t.warehouse_id = s.warehouse_id and t.transaction_type = 'count'
    ) - coalesce((
        select sum(i.quantity) from order_items i
        where i.variant_id = s.variant_id and i.warehouse_id = s.warehouse_id), 0)
    from warehouse_stock s join warehouses w using (warehouse_id) where s.variant_id = %s and w.code like 'CROWD%%'"""
DEADLOCKS = "select deadlocks from pg_stat_database where datname = current_database()"


class Crowd:
    """`buyers` who are there at once: a third want the hot product, the others two products, in either order."""

    def __init__(self, market: Market, buyers: int) -> None:
        self.market, self.buyers = market, buyers
        self.sellers = [market.person("seller") for _ in range(2)]
        self.hot, self.one, self.other = (
            self._stocked(seller, near, far)
            for seller, near, far in (
                (0, buyers // 20, buyers // 10), (0, buyers // 5, buyers // 10), (1, buyers // 10, buyers // 5),
            )
        )  # fmt: skip
        market.sql.execute("select pg_stat_force_next_flush()")
        self.deadlocks = int(market.scalar(DEADLOCKS))

    def _stocked(self, seller: int, near: int, far: int) -> dict[str, Any]:
        who = self.sellers[seller]
        product = self.market.product(who, stock=0, price=10.0)
        variant = product["variants"][0]["variantId"]
        for code, latitude, longitude, units in (("NEAR", 41.9, -87.6, near), ("FAR", 33.7, -84.4, far)):
            place = self.market.warehouse(f"CROWD-{code}", "US", latitude, longitude)
            answer = self.market.client.put(
                f"/api/v1/inventory/variants/{variant}/warehouses/{place}", json={"available": units},
                headers=who.headers,
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
        return product

    def rush(self, apis: Sequence[Server], name: str) -> Counter[tuple[int, str]]:
        market = self.market
        bodies = [
            market.order_body((self.hot, 1)),
            market.order_body((self.one, 1), (self.other, 1)),
            market.order_body((self.other, 1), (self.one, 1)),
        ]
        return rush(
            [(apis[n % len(apis)].url, bodies[n % len(bodies)], f"{name}-{n}") for n in range(self.buyers)], len(apis)
        )

    def new_deadlocks(self) -> int:
        return int(self.market.scalar(DEADLOCKS)) - self.deadlocks


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str, sandbox: Sandbox
) -> Iterator[Fleet]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **buying_env(sandbox)}
    with Fleet(tmp_path_factory.mktemp("crowd"), env) as parent:
        yield parent


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 11))])
def test_a_crowd_at_two_warehouses_gets_what_there_is_and_no_more(
    fleet: Fleet, database_url: str, sandbox: Sandbox, seed: int
) -> None:
    buyers, processes = (SMALL, 2) if seed == 1 else (WHOLE, 4)
    apis = [*fleet.living_apis(), *(fleet.api() for _ in range(processes - len(fleet.living_apis())))]
    market = Market(apis[0], database_url, sandbox)
    crowd = Crowd(market, buyers)
    units = {"hot": 3 * buyers // 20, "pair": 3 * buyers // 10}
    counted = crowd.rush(apis, f"crowd-{seed}")
    print(f"R-P1 at two warehouses: {buyers} buyers, {units} units, {processes} processes: {dict(counted)}")
    assert counted == {
        (201, ""): sum(units.values()),
        (409, "/problems/out-of-stock"): buyers - sum(units.values()),
    }
    for product in (crowd.hot, crowd.one, crowd.other):
        left = market.sql.execute(LEFT, (product["variants"][0]["variantId"],)).fetchall()
        assert sorted(left) == [("CROWD-FAR", 0, 0, 0), ("CROWD-NEAR", 0, 0, 0)]
    assert market.sql.execute(UNEQUAL).fetchall() == []
    assert violations(database_url, [Gateway(sandbox.url, SANDBOX_KEY)]) == []
    assert crowd.new_deadlocks() == 0
    market.close()


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ["slow locks", "slow locks in any order"])
def test_orders_wait_for_each_other_unless_they_lock_in_one_order(
    fleet: Fleet, database_url: str, sandbox: Sandbox, mutant: str
) -> None:
    """With a moment between two locks: in the order of the variants nothing happens, in any order they deadlock."""
    apis = [fleet.api(mutant=mutant) for _ in range(4)]
    market = Market(apis[0], database_url, sandbox)
    crowds = []
    for turn in range(3):
        crowds.append(Crowd(market, SMALL))
        counted = crowds[-1].rush(apis, f"{mutant}-{turn}")
        print(f"R-P1 {mutant}: {crowds[-1].new_deadlocks()} deadlocks: {dict(counted)}")
        if crowds[-1].new_deadlocks():
            break
    assert any(crowd.new_deadlocks() > 0 for crowd in crowds) is (mutant == "slow locks in any order")
    market.close()
    for api in apis:
        api.kill9()
