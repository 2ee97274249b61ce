"""Whoever dies between a payment and what it buys online: each unit gets its key once, and no other unit has it.

kill -9 of the worker before, in and after the commit that gives keys. Afterwards a healthy worker delivers the rest.
"""

import pytest

from api.orders.digital.failpoints import POINTS
from tests.harness.buying import wait_until
from tests.harness.crash import World
from tests.harness.digital import Game, keys_of
from tests.harness.processes import KILLED

# As of the crash proof of checkouts: not judged by the clock of a busy machine.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(
    ("points", "orders"),
    [
        pytest.param(("orders.digital_before_commit",), 2, id="few"),
        pytest.param((*sorted(POINTS), *sorted(POINTS)), 12, id="all", marks=pytest.mark.slow),
    ],
)
def test_the_worker_is_killed_between_the_payment_and_the_key(
    world: World, points: tuple[str, ...], orders: int
) -> None:
    market = world.market
    game = Game(market, world.seller, 2 * orders)
    buyers = [market.person() for _ in range(orders)]
    placed = [game.order(buyer, 2) for buyer in buyers]
    for point in points:
        assert world.fleet.worker(SOUK_FAILPOINTS=f"{point}=kill").wait(90) == KILLED, point
    worker = world.fleet.worker()
    delivered = "select count(*) from orders where status = 'delivered' and order_id = any(%s)"
    wait_until(lambda: market.scalar(delivered, (placed,)) == orders)
    worker.kill9()

    seen = [keys_of(market, buyer, order) for buyer, order in zip(buyers, placed, strict=True)]
    assert [len(keys) for keys in seen] == [2] * orders
    assert sorted(key for keys in seen for key in keys) == game.keys
    assert game.pool() == (0, 0, 2 * orders)
    world.sound()
