"""`souk bench ladder`: what our frame adds to a request: an application without a framework, FastAPI's smallest route,
our health route, our product page from its caches and without them.

Processor microseconds of the API for each request, one worker, on one server in one run, clients with kept-open
connections. The limit of ours is twice FastAPI's smallest route, and the processor time of Postgres counts on both
sides; the note says how much it was.
"""

import sys
from collections.abc import Mapping
from itertools import islice
from typing import Annotated

import typer

from tests.benchmarks.results import record
from tests.benchmarks.support import buyers
from tests.benchmarks.support.buyers import EXPECTED, Goods
from tests.benchmarks.support.http import Expected, Request, get
from tests.benchmarks.support.load import Load
from tests.benchmarks.support.options import Profile
from tests.benchmarks.support.shop import BenchShop, throw_away_shop
from tests.benchmarks.support.target import Target, figures
from tests.harness.api import Server
from warehouse.command import program
from warehouse.logs import configure

CLIENTS = 8
PRODUCTS = 2_000
POPULAR = 100
LIVE = {"live": Expected(200, '"live"')}
ROUNDS = 3


def steps_of(shop: BenchShop) -> Target:
    """The first two steps, served."""
    server = Server(
        "tests.benchmarks.support.steps", "SOUK_API_URL", shop.folder, {**shop.env, "SOUK_API_WORKERS": "1"}, fresh=True
    )
    shop.servers["steps"] = server
    server.start()
    return shop.target(server.url)


@program("python -m tests.benchmarks.ladder")
def main(
    *,
    seconds: Annotated[float, typer.Option(help="Length of each loop.")] = 3.0,
    profile: Profile = False,
) -> int:
    """Measure each step in turns."""
    configure("warning")
    with throw_away_shop(PRODUCTS, workers=1, profiled=profile, stocked=False) as shop:
        api = shop.start_api()
        steps = steps_of(shop)
        goods = Goods.of(shop.url)
        details = [get("detail", f"/api/v1/products/{product}") for product in goods.products[:POPULAR]]
        loops: dict[str, tuple[Target, list[Request], Mapping[str, Expected]]] = {
            "bare": (steps, [get("live", "/bare")], LIVE),
            "hello": (steps, [get("live", "/hello")], LIVE),
            "health": (api, [get("live", "/health/live")], LIVE),
            "detail": (api, details, EXPECTED),
        }
        found: dict[str, Load] = {}
        for title, (target, requests, expected) in loops.items():
            target.load(f"{title}, before", requests * 3, expected, clients=1, seconds=30)
        for number in range(ROUNDS):
            for title, (target, requests, expected) in loops.items():
                load = target.load(
                    f"{title}, round {number + 1}", requests, expected, clients=CLIENTS, seconds=seconds, repeat=True
                )
                found[title] = found[title] + load if title in found else load
        once = islice(buyers.details(goods), PRODUCTS - POPULAR)
        found["detail_miss"] = api.load("detail_miss", [*once], EXPECTED, clients=CLIENTS, seconds=seconds * 4)
        if not profile:
            report(found)
        shop.check(0)
    return 0


def report(found: Mapping[str, Load]) -> None:
    """One line a step."""
    hello = found["hello"].cpu_ms("steps") * 1000
    for title, load in found.items():
        ours = title not in {"bare", "hello"}
        cost = load.cpu_ms("api" if ours else "steps") * 1000
        database = load.cpu_ms("postgres") * 1000 if ours else 0.0
        record(
            "ladder",
            f"ladder.{title}",
            ours=cost + database,
            limit=2 * hello + database if ours else None,
            unit="CPU us",
            lower_is_better=True,
            note=f"{cost / hello:.2f} of FastAPI's smallest route, and {database:.0f} us of Postgres",
            **figures(load),
        )


if __name__ == "__main__":
    sys.exit(main())
