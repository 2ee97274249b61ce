"""`souk bench checkout`: what placing an order costs, against pgbench running the least SQL of the same checkout.

A throw-away shop with fsync on; guests place orders of two items over HTTP in closed loops with kept-open connections.
The payment gateway answers at once and costs next to nothing, so that the shop alone is measured; the rate with the
sandbox stands next to it. pgbench runs on the same Postgres in the same run, in turns with the shop.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, TypeVar

import typer

from tests.benchmarks.results import record
from tests.benchmarks.support.buyers import EXPECTED, Goods, additions, orders
from tests.benchmarks.support.http import Request
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.options import CORES, Profile, Workers
from tests.benchmarks.support.pgbench import Bought, Pgbench
from tests.benchmarks.support.shop import BenchShop, throw_away_shop
from tests.benchmarks.support.target import Target, figures
from warehouse.command import program
from warehouse.logs import configure

PRODUCTS, VARIANTS = 4_000, 8_000
CLIENTS = (1, 8, 32)
MOST = 32
PGBENCH_SECONDS = 3
# More requests a second than the clients can send are never made ready.
ORDERS_A_SECOND, ADDITIONS_A_SECOND = 1_500, 4_000

Summed = TypeVar("Summed", Load, Bought)


@dataclass
class Measured:
    """Everything that one run measured; `placed` counts the orders of the shop's clients."""

    ours: dict[int, Load] = field(default_factory=dict)
    nine: dict[int, Bought] = field(default_factory=dict)
    one: dict[int, Bought] = field(default_factory=dict)
    carts: dict[int, Load] = field(default_factory=dict)
    sandbox: dict[int, Load] = field(default_factory=dict)
    hot: Load | None = None
    hot_nine: Bought | None = None
    hot_one: Bought | None = None
    placed: int = 0


@dataclass
class Bench:
    """A shop whose API is up, and the requests that were not sent yet."""

    shop: BenchShop
    target: Target
    goods: Goods
    seconds: float
    measured: Measured = field(default_factory=Measured)
    streams: dict[str, Iterator[Request]] = field(default_factory=dict)

    def buy(self, title: str, clients: int, seconds: float, stream: str = "order") -> Load:
        """Orders in a closed loop, until the worker has published them."""
        hot = self.goods.variants[0] if stream == "hot" else None
        requests = self.streams.setdefault(stream, orders(self.goods, stream, hot))
        ready = islice(requests, int(seconds * ORDERS_A_SECOND) + clients)
        load = self.target.load(title, ready, EXPECTED, clients=clients, seconds=seconds, drain=True)
        self.measured.placed += load.statuses.get("201", 0)
        return load

    def fill_carts(self, clients: int, seconds: float) -> Load:
        """Additions to carts in a closed loop."""
        requests = self.streams.setdefault("cart", additions(self.goods, "cart"))
        ready = islice(requests, int(seconds * ADDITIONS_A_SECOND) + clients)
        return self.target.load(f"add to cart, {clients} clients", ready, EXPECTED, clients=clients, seconds=seconds)


@program("python -m tests.benchmarks.checkout")
def main(
    *,
    seconds: Annotated[float, typer.Option(help="Length of each loop of orders; twice for every number.")] = 6.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of pgbench and the shop.")] = 2,
    workers: Workers = CORES,
    carts: Annotated[bool, typer.Option("--carts", help="Additions to carts alone, without orders.")] = False,
    profile: Profile = False,
) -> int:
    """Measure orders and additions to carts."""
    configure("warning")
    with throw_away_shop(PRODUCTS, workers=workers, profiled=profile) as shop:
        target = shop.start_api("instant")
        goods = Goods.of(shop.url)
        bench = Bench(shop, target, goods.first(VARIANTS), seconds)
        bench.buy("warm-up", 8, 3.0)
        if not carts and profile:
            profile_orders(bench)
        elif not carts:
            measure(bench, rounds)
        for clients in (MOST,) if profile else CLIENTS:
            bench.measured.carts[clients] = bench.fill_carts(clients, seconds)
        if not carts and not profile:
            measure_sandbox(bench)
        shop.check(bench.measured.placed)
    if not profile:
        if not carts:
            report(bench.measured, workers)
        report_carts(bench.measured)
    return 0


def profile_orders(bench: Bench) -> None:
    """The loops of orders that matter, each with its profile."""
    for clients in (1, MOST):
        bench.buy(f"orders, {clients} clients", clients, bench.seconds)
    bench.buy("orders of one hot variant, 32 clients", MOST, bench.seconds, "hot")


def measure(bench: Bench, rounds: int) -> None:
    """Every loop of orders, in turns with pgbench."""
    pgbench, measured = Pgbench(bench.shop.postgres), bench.measured
    loads: defaultdict[str, list[Load]] = defaultdict(list)
    for clients in CLIENTS:
        nine, ours, one = [], [], []
        for _ in range(rounds):
            nine.append(pgbench.run("checkout", clients, PGBENCH_SECONDS))
            ours.append(bench.buy(f"orders, {clients} clients", clients, bench.seconds))
            one.append(pgbench.run("checkout_cte", clients, PGBENCH_SECONDS))
            if clients == MOST:
                loads["hot"].append(bench.buy("orders of one hot variant", clients, bench.seconds, "hot"))
        measured.nine[clients], measured.one[clients] = _sum(nine), _sum(one)
        measured.ours[clients] = _sum(ours)
    measured.hot = _sum(loads["hot"])
    measured.hot_nine = pgbench.run("checkout_hot", MOST, PGBENCH_SECONDS)
    measured.hot_one = pgbench.run("checkout_cte_hot", MOST, PGBENCH_SECONDS)


def measure_sandbox(bench: Bench) -> None:
    """Orders again, with the sandbox as gateway."""
    bench.target = bench.shop.start_api("sandbox")
    bench.buy("warm-up with the sandbox", 8, 3.0)
    for clients in (1, MOST):
        bench.measured.sandbox[clients] = bench.buy(
            f"orders with the sandbox, {clients} clients", clients, bench.seconds
        )


def _sum(parts: list[Summed]) -> Summed:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def report(measured: Measured, workers: int) -> None:
    """Record every line of orders."""
    for clients in CLIENTS:
        ours, sandbox = measured.ours[clients], measured.sandbox.get(clients)
        further: dict[str, object] = {"workers": workers} | ({"sandbox": round(sandbox.rate, 1)} if sandbox else {})
        for limit, bought in (("nine_trip", measured.nine[clients]), ("one_statement", measured.one[clients])):
            record(
                "checkout",
                f"checkout.c{clients}_{limit}",
                ours=ours.rate,
                limit=bought.rate,
                unit="orders/s",
                lower_is_better=False,
                note=f"{ours.spread}" + (f"; with the sandbox {sandbox.rate:.1f}/s" if sandbox else ""),
                **figures(ours),
                **further,
            )
    report_hot(measured)
    report_cpu(measured)


def report_carts(measured: Measured) -> None:
    """The longest waits of additions to carts."""
    for clients in (*CLIENTS[:-1], MOST):
        carts = measured.carts[clients]
        record(
            "checkout",
            "cart.add" if clients == MOST else f"cart.add.c{clients}",
            ours=carts.spread.p99,
            limit=None,
            unit="ms p99",
            lower_is_better=True,
            note=f"{clients} clients, {carts.rate:.0f}/s, {carts.spread}",
            **figures(carts),
        )


def report_hot(measured: Measured) -> None:
    """The flash sale, against our own rate without it."""
    hot, ours = measured.hot, measured.ours[MOST]
    assert hot is not None
    assert measured.hot_nine is not None
    assert measured.hot_one is not None
    further = {
        "pgbench_nine_trip": round(measured.hot_nine.rate, 1),
        "pgbench_statement": round(measured.hot_one.rate, 1),
    }
    record(
        "checkout",
        "checkout.hot",
        ours=hot.rate,
        limit=ours.rate,
        unit="orders/s",
        lower_is_better=False,
        note=f"pgbench on two hot variants: nine trips {measured.hot_nine.rate:.0f}/s, one statement"
        f" {measured.hot_one.rate:.0f}/s; {hot.spread}",
        **figures(hot),
        **further,
    )


def report_cpu(measured: Measured) -> None:
    """Processor time of an order at 32 clients, by process; Postgres against pgbench's nine round trips."""
    ours, sandbox, nine = measured.ours[MOST], measured.sandbox[MOST], measured.nine[MOST]
    costs = {
        "checkout.cpu": (ours.cpu_ms("api"), None, "API"),
        "checkout.cpu.postgres": (ours.cpu_ms("postgres"), nine.postgres_ms, "Postgres, against pgbench's nine trips"),
        "checkout.cpu.worker": (ours.cpu_ms("worker"), None, "worker"),
        "checkout.cpu.sandbox": (sandbox.cpu_ms("sandbox"), None, "sandbox, where it is the gateway"),
    }
    for name, (cost, limit, note) in costs.items():
        record(
            "checkout",
            name,
            ours=cost,
            limit=limit,
            unit="CPU ms an order",
            lower_is_better=True,
            note=note,
            **figures(ours if name != "checkout.cpu.sandbox" else sandbox),
        )


if __name__ == "__main__":
    sys.exit(main())
