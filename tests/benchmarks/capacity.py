"""`souk bench capacity`: where the shop of this machine saturates, and what shoppers wait for on the way there.

A throw-away shop with a payment gateway that answers at once. First closed loops of more and more clients find how many
orders, and how many pages, a second the machine answers. Then requests arrive at shares of that rate, as independent
shoppers send them, below and above it: a wait counts from the time at which the request should have been sent. At
the end behaviour events land in a lake of their own: bytes of each.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated

import typer

from tests.benchmarks.results import record
from tests.benchmarks.support import buyers
from tests.benchmarks.support.buyers import EXPECTED, Goods
from tests.benchmarks.support.http import Request
from tests.benchmarks.support.landed import Landed, land
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.options import CORES, Profile, Workers
from tests.benchmarks.support.shop import throw_away_shop
from tests.benchmarks.support.target import Target, figures
from warehouse.command import program
from warehouse.logs import configure

PRODUCTS, VARIANTS = 4_000, 8_000
CLIENTS = (1, 8, 32, 128, 256)
SHARES = (0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1)


@dataclass
class Kind:
    """Requests of one kind and what was measured of them: by number of clients, and by share of the best rate.

    `at_once`: more requests a second than this are never made ready. `drain`: the worker's part counts.
    """

    name: str
    unit: str
    requests: Iterator[Request]
    at_once: int
    drain: bool
    closed: dict[int, Load] = field(default_factory=dict)
    opened: dict[float, Load] = field(default_factory=dict)

    @property
    def best(self) -> Load:
        """The closed loop that answered most."""
        return max(self.closed.values(), key=lambda load: load.rate)

    def load(self, target: Target, title: str, *, clients: int, seconds: float, rate: float = 0.0) -> Load:
        """One loop."""
        most = int(seconds * (rate * 1.3 if rate else self.at_once)) + 1_000
        ready = islice(self.requests, most)
        return target.load(
            f"{self.name}, {title}", ready, EXPECTED, clients=clients, seconds=seconds, rate=rate, drain=self.drain
        )


@program("python -m tests.benchmarks.capacity")
def main(
    *,
    seconds: Annotated[float, typer.Option(help="Length of each loop.")] = 8.0,
    workers: Workers = CORES,
    profile: Profile = False,
) -> int:
    """Measure orders, then pages."""
    configure("warning")
    with throw_away_shop(PRODUCTS, workers=workers, profiled=profile) as shop:
        target = shop.start_api("instant")
        goods = Goods.of(shop.url).first(VARIANTS)
        orders = Kind("orders", "orders/s", buyers.orders(goods, "capacity"), 1_500, drain=True)
        pages = Kind("pages", "pages/s", buyers.pages(goods, "capacity"), 8_000, drain=False)
        placed = sum(measure(kind, target, seconds) for kind in (orders, pages))
        shop.check(placed)
        landed = land(goods, shop.folder / "lake")
    if not profile:
        for kind in (orders, pages):
            report(kind, workers)
        report_events(landed)
    return 0


def measure(kind: Kind, target: Target, seconds: float) -> int:
    """Every loop of a kind; returns how many orders were placed."""
    loads = [kind.load(target, "warm-up", clients=8, seconds=3.0)]
    for clients in CLIENTS:
        kind.closed[clients] = kind.load(target, f"{clients} clients", clients=clients, seconds=seconds)
    for share in SHARES:
        kind.opened[share] = kind.load(
            target, f"{share:.0%} of the best rate", clients=0, seconds=seconds, rate=kind.best.rate * share
        )
    return sum(load.statuses.get("201", 0) for load in (*loads, *kind.closed.values(), *kind.opened.values()))


def report(kind: Kind, workers: int) -> None:
    """Two curves: answers a second over clients, and waits over the share of the best rate, in percent."""
    best = kind.best
    record(
        "capacity",
        f"capacity.{kind.name}",
        ours=best.rate,
        limit=None,
        unit=kind.unit,
        lower_is_better=False,
        note=f"cores used: {cores(best)}; at "
        + ", ".join(f"{clients} clients {load.rate:.0f}/s" for clients, load in kind.closed.items()),
        curve={kind.name: [(clients, round(load.rate, 1)) for clients, load in kind.closed.items()]},
        workers=workers,
        **figures(best),
    )
    half = kind.opened[0.5]
    spreads = {round(share * 100): load.spread for share, load in kind.opened.items()}
    record(
        "capacity",
        f"capacity.{kind.name}.wait",
        ours=half.spread.p95,
        limit=None,
        unit="ms p95",
        lower_is_better=True,
        note="at half of the best rate; p95 at "
        + ", ".join(f"{share} % {found.p95:.0f} ms" for share, found in spreads.items()),
        curve={
            f"{kind.name}, {name}": [(share, getattr(found, name)) for share, found in spreads.items()]
            for name in ("p50", "p95")
        },
        **figures(half),
    )


def report_events(landed: Landed) -> None:
    """Bytes of a behaviour event in the lake."""
    record(
        "capacity",
        "capacity.event",
        ours=landed.bytes,
        limit=None,
        unit="bytes an event",
        lower_is_better=True,
        note=f"in the lake, {landed.cpu_us:.0f} CPU us; {landed.events:,} views in batches of the default size",
        cpu_us=round(landed.cpu_us, 1),
        events=landed.events,
    )


def cores(load: Load) -> str:
    """Cores that each process used, the greatest first; those below a hundredth are left out."""
    used: Mapping[str, float] = {name: load.cpu_ms(name) / 1000 * load.rate for name in load.cpu}
    shown = sorted(((name, share) for name, share in used.items() if share >= 0.01), key=lambda item: -item[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in shown)


if __name__ == "__main__":
    sys.exit(main())
