"""`souk bench mixed`: what shoppers wait for while the whole platform runs and half of its power is used.

`souk demo` in a state directory of its own. First a closed loop of 32 clients finds the rate at which the shop is
saturated. Then requests arrive at half of that rate for two minutes, as independent shoppers send them: nine of ten
read, one of ten buys (an addition to a cart, or an order of two items, as often). A wait counts from the time at which
the request should have been sent. For-you and related are also measured alone.
"""

import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import psycopg
import typer

from orchestration.runtime.machine import Machine
from tests.benchmarks.results import record
from tests.benchmarks.support import buyers
from tests.benchmarks.support.buyers import EXPECTED, Goods
from tests.benchmarks.support.http import Request, get
from tests.benchmarks.support.kept import STREAMS, kept
from tests.benchmarks.support.load import Load, spread
from tests.benchmarks.support.options import Profile
from tests.benchmarks.support.platform import running_platform, services_of
from tests.benchmarks.support.profile import Profiler, environment, say
from tests.benchmarks.support.shop import STOCK
from tests.benchmarks.support.target import Target, figures
from tests.harness.invariants import assert_invariants
from tests.harness.sessions import guest_headers
from warehouse.command import program
from warehouse.logs import configure

CLIENTS = (1, 8, 32)
MOST = 32
SATURATION_SECONDS, RECOMMENDATION_SECONDS = 20.0, 4.0
REQUESTS_A_SECOND = 4_000
GUESTS, VIEWS = 200, 5


@program("python -m tests.benchmarks.mixed")
def main(
    *,
    seconds: Annotated[float, typer.Option(help="Length of the open loop.")] = 120.0,
    share: Annotated[float, typer.Option(help="Its rate, as a share of saturation.")] = 0.5,
    size: Annotated[str, typer.Option(help="Options of `souk load marketplace`.")] = "",
    profile: Profile = False,
) -> int:
    """Measure the mix."""
    configure("warning")
    with (
        tempfile.TemporaryDirectory(prefix="souk-profile-") as samples,
        running_platform(size, environment(Path(samples)) if profile else None) as machine,
    ):
        goods, target = prepare(machine), target_of(machine)
        if profile:
            target.profilers = {"api": Profiler(target.roots["api"], Path(samples))}
        recommended = {
            (kind, clients): recommendations(target, goods, kind, clients)
            for kind in ("for-you", "related")
            for clients in CLIENTS
        }
        requests = mix(goods, "mixed")
        run(target, "warm-up", requests, clients=8, seconds=8.0)
        full = run(target, f"saturation, {MOST} clients", requests, clients=MOST, seconds=SATURATION_SECONDS)
        half = run(target, "the mix", requests, clients=0, seconds=seconds, rate=full.rate * share)
        check(machine, target)
        keys = kept(machine.redis_url)
    if not profile:
        report(recommended, full, half)
        report_redis(keys)
    return 0


def target_of(machine: Machine) -> Target:
    """The API of the platform; every service's time counts."""
    port = urlsplit(machine.address("api")).port or 80
    return Target(port, services_of(machine), machine.database_url, machine.layout.home)


def prepare(machine: Machine) -> Goods:
    """Stock that outlasts the benchmark."""
    with psycopg.connect(machine.database_url, autocommit=True) as connection:
        connection.execute(STOCK)
        connection.execute("vacuum analyze")
    return Goods.of(machine.database_url)


def run(
    target: Target, title: str, requests: Iterator[Request], *, clients: int, seconds: float, rate: float = 0.0
) -> Load:
    """The mix in a closed loop, or at a rate; until the worker has published what was bought."""
    most = int(seconds * (rate * 1.3 if rate else REQUESTS_A_SECOND)) + 1_000
    return target.load(title, islice(requests, most), EXPECTED, clients=clients, seconds=seconds, rate=rate, drain=True)


def mix(goods: Goods, seed: str) -> Iterator[Request]:
    """Requests of all kinds in their shares; best sellers are looked at most."""
    draw = random.Random(seed)
    streams = {
        "order": buyers.orders(goods, seed),
        "cart": buyers.additions(goods, seed),
        "search": buyers.searches(goods, seed),
    }
    pages = buyers.popular_pages(goods)
    guests = [guest_headers(f"mixed-{number}") for number in range(GUESTS)]
    while True:
        kind = draw.choices([*buyers.SHARES], [*buyers.SHARES.values()])[0]
        if kind in streams:
            yield next(streams[kind])
        elif kind == "list":
            yield draw.choice(pages)
        elif kind == "for-you":
            yield get(kind, "/api/v1/recommendations/for-you", draw.choice(guests))
        else:
            below = "" if kind == "detail" else "/related"
            yield get(kind, f"/api/v1/products/{buyers.popular(goods, draw)}{below}")


def recommendations(target: Target, goods: Goods, kind: str, clients: int) -> Load:
    """One kind alone in a closed loop: for guests who have looked at five products, or of popular products."""
    draw = random.Random(kind)
    if kind == "related":
        asked = [get(kind, f"/api/v1/products/{buyers.popular(goods, draw)}/related") for _ in range(1_000)]
    else:
        guests = [guest_headers(f"for-you-{number}") for number in range(GUESTS)]
        if clients == CLIENTS[0]:
            views = [buyers.views(goods, draw, guest, VIEWS) for guest in guests]
            target.load("views of the guests", views, EXPECTED, clients=4, seconds=60)
        asked = [get(kind, "/api/v1/recommendations/for-you", guest) for guest in guests]
    title = f"{kind}, {clients} clients"
    return target.load(title, asked, EXPECTED, clients=clients, seconds=RECOMMENDATION_SECONDS, repeat=True)


def check(machine: Machine, target: Target) -> None:
    """Show wrong answers, which the result lines count. Raises AssertionError unless every invariant holds."""
    for wrong in target.wrong:
        say(f"{wrong}\n")
    assert_invariants(
        machine.database_url, sandbox_url=machine.address("sandbox"), sandbox_key=machine.config.sandbox_key
    )


def report(recommended: dict[tuple[str, int], Load], full: Load, half: Load) -> None:
    """Record every line."""
    for (kind, clients), load in recommended.items():
        note = f"{load.spread}; CPU ms: API {load.cpu_ms('api'):.2f}, serving {load.cpu_ms('serving'):.2f}"
        name = f"{kind}.c{clients}"
        record(
            "mixed",
            name,
            ours=load.rate,
            limit=None,
            unit="requests/s",
            lower_is_better=False,
            note=note,
            **figures(load),
        )
    kinds = {kind: spread(waits) for kind, waits in half.waits.items()}
    by_kind = {kind: vars(waits) for kind, waits in kinds.items()}
    note = f"{half.rate:.0f} requests/s of {full.rate:.0f} at saturation, {half.errors} errors; {half.spread}"
    record(
        "mixed",
        "mixed",
        ours=half.spread.p95,
        limit=None,
        unit="ms p95",
        lower_is_better=True,
        note=note,
        kinds=by_kind,
        **figures(half),
    )
    for kind, waits in kinds.items():
        record(
            "mixed",
            f"mixed.{kind}",
            ours=waits.p99 if kind == "search" else waits.p95,
            limit=None,
            unit="ms p99" if kind == "search" else "ms p95",
            lower_is_better=True,
            note=str(waits),
        )
    record(
        "mixed",
        "mixed.saturation",
        ours=full.rate,
        limit=None,
        unit="requests/s",
        lower_is_better=False,
        note=str(full.spread),
        **figures(full),
    )


def report_redis(keys: Mapping[str, Mapping[str, float]]) -> None:
    """Memory of Redis by what it holds."""
    in_all = {kind: held["count"] * held["bytes"] for kind, held in keys.items()}
    record(
        "mixed",
        "mixed.redis",
        ours=sum(in_all.values()) / 1024**2,
        limit=None,
        unit="MiB",
        lower_is_better=True,
        note="; ".join(
            f"{kind} {held['count']:,} of {held['bytes']:,.0f} bytes" for kind, held in keys.items() if kind != STREAMS
        ),
        keys=keys,
    )


if __name__ == "__main__":
    sys.exit(main())
