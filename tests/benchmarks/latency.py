"""`python -m tests.benchmarks.latency`: what one shopper waits for, request by request, over HTTP on a throw-away shop
with fsync on.

With `--platform`: what recommendations take on the running platform of SOUK_HOME (a `make demo` before), whose models
they need. `limit` is the same process answering `/health/live` in the same run: the floor that HTTP and the framework
set.
"""

import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import psycopg
import typer

from orchestration.runtime.machine import Machine, load_machine
from orchestration.settings import load_settings
from tests.benchmarks.results import ROOT, record
from tests.harness.api import Server, api_of
from tests.harness.postgres import running_postgres
from tests.harness.redis import running_redis
from tests.harness.sessions import guest_headers
from warehouse.command import program
from warehouse.logs import configure

REQUESTS = 200
ORDERS = 60
ADDRESS = {"street": "1 Market Street", "city": "Springfield", "state": "IL", "zipCode": "62701", "country": "US"}


def percentiles(call: Callable[[int], httpx.Response], times: int) -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds; the first tenth warms up and is left out."""
    taken = []
    for i in range(times + times // 10):
        started = time.perf_counter()
        answer = call(i)
        taken.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
    cuts = statistics.quantiles(taken[times // 10 :], n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def reporter(client: httpx.Client) -> Callable[[str, int, Callable[[int], httpx.Response]], None]:
    """Returns a function that measures one kind of request and records it with the client's floor as limit."""
    floor = percentiles(lambda _: client.get("/health/live"), REQUESTS)[0]

    def report(name: str, times: int, call: Callable[[int], httpx.Response]) -> None:
        p50, p95, p99 = percentiles(call, times)
        spread = f"p95 {p95:.1f}, p99 {p99:.1f}"
        record(
            "latency",
            name,
            ours=p50,
            limit=floor,
            unit="ms p50",
            lower_is_better=True,
            note=spread,
            p95=p95,
            p99=p99,
            requests=times,
        )

    return report


def measure_recommendations(machine: Machine) -> None:
    """Measure the running platform for shoppers with a history: at the recommender, then through the shop."""
    with psycopg.connect(machine.database_url) as connection:
        known = (
            "SELECT user_id::text FROM orders WHERE user_id IS NOT NULL GROUP BY 1 HAVING count(*) >= 3 ORDER BY"
            " md5(user_id::text)"
        )
        shoppers = [str(user) for (user,) in connection.execute(f"{known} LIMIT {REQUESTS}")]
        sold = "SELECT product_id::text FROM order_items GROUP BY 1 ORDER BY count(*) DESC"
        products = [str(product) for (product,) in connection.execute(f"{sold} LIMIT {REQUESTS}")]
    with httpx.Client(base_url=machine.address("serving"), timeout=10) as serving:

        def for_you(i: int) -> httpx.Response:
            return serving.post("/v1/for-you", json={"userId": shoppers[i % len(shoppers)], "recent": [], "limit": 20})

        reporter(serving)("for you, at the recommender", REQUESTS, for_you)
    with httpx.Client(base_url=machine.address("api"), timeout=10) as api:
        report = reporter(api)
        report(
            "related products", REQUESTS, lambda i: api.get(f"/api/v1/products/{products[i % len(products)]}/related")
        )
        key = machine.environment()["SOUK_SECRET_KEY"]
        guests = [guest_headers(f"latency-{number}", key) for number in range(20)]
        for number, guest in enumerate(guests):
            views = [{"type": "view", "productId": product} for product in products[number : number + 5]]
            api.post("/api/v1/events", json={"events": views}, headers=guest).raise_for_status()
        report(
            "for you, a guest who looked at five products",
            REQUESTS,
            lambda i: api.get("/api/v1/recommendations/for-you", headers=guests[i % len(guests)]),
        )


def measure(api: httpx.Client) -> None:
    """Measure every kind of request of the shop, with the floor as limit."""
    report = reporter(api)
    listed = api.get("/api/v1/products", params={"limit": 100}).json()["products"]
    products = [row["productId"] for row in listed if row["inStock"]]
    random.Random(7).shuffle(products)
    variants = [api.get(f"/api/v1/products/{product}").json()["variants"] for product in products[:40]]
    sellable = [
        (product, v["variantId"])
        for product, vs in zip(products, variants, strict=False)
        for v in vs
        if v["stock"] > 20
    ]
    buyable = itertools.cycle(sellable)
    words = [row["title"].split()[-1] for row in listed]

    report("product list, 24", REQUESTS, lambda i: api.get("/api/v1/products", params={"limit": 24, "page": 1 + i % 5}))
    report("product detail", REQUESTS, lambda i: api.get(f"/api/v1/products/{products[i % len(products)]}"))
    report("search with facets", REQUESTS, lambda i: api.get("/api/v1/search", params={"q": words[i % len(words)]}))
    report(
        "autocomplete",
        REQUESTS,
        lambda i: api.get("/api/v1/search/autocomplete", params={"q": words[i % len(words)][:3]}),
    )
    session = guest_headers("benchmark")

    def add_to_cart(_: int) -> httpx.Response:
        product, variant = next(buyable)
        return api.post(
            "/api/v1/cart/items", json={"productId": product, "variantId": variant, "quantity": 1}, headers=session
        )

    report("add to cart", REQUESTS, add_to_cart)
    report("read the cart", REQUESTS, lambda _: api.get("/api/v1/cart", headers=session))

    def order(i: int) -> httpx.Response:
        product, variant = next(buyable)
        body = {
            "items": [{"productId": product, "variantId": variant, "quantity": 1}],
            "shippingAddress": ADDRESS,
            "paymentMethod": {"type": "credit_card", "token": "pm_sandbox_ok"},
            "email": "benchmark@example.com",
        }
        return api.post(
            "/api/v1/orders", json=body, headers={**guest_headers(f"buyer-{i}"), "Idempotency-Key": f"latency-{i}"}
        )

    report("place an order, paid", ORDERS, order)


@program("python -m tests.benchmarks.latency")
def main(
    platform: Annotated[
        bool, typer.Option("--platform", help="Recommendations on the running platform of SOUK_HOME.")
    ] = False,
) -> int:
    """Measure how long a shopper waits for each kind of request."""
    configure("warning")
    if not platform:
        measure_shop()
        return 0
    machine = load_machine(load_settings())
    if machine is None:
        sys.stderr.write("nothing runs here: `make demo` first\n")
        return 1
    measure_recommendations(machine)
    return 0


def measure_shop() -> None:
    """Measure a temporary shop of 1,000 products."""
    with tempfile.TemporaryDirectory(prefix="souk-latency-") as name:
        folder = Path(name)
        with running_postgres(folder / "postgres", fsync=True) as postgres, running_redis(folder / "redis") as redis:
            database = postgres.url(postgres.fresh_database())
            sandbox = Server(
                "api.sandbox", "SOUK_SANDBOX_URL", folder, {"SOUK_SANDBOX_KEY": "benchmark-key"}, fresh=True
            )
            sandbox.start()
            gateway = {"SOUK_SANDBOX_URL": sandbox.url, "SOUK_SANDBOX_KEY": "benchmark-key"}
            env = (
                os.environ
                | gateway
                | {
                    "DATABASE_URL": database,
                    "REDIS_URL": redis.url,
                    "SOUK_HOME": str(folder),
                    "SOUK_PROFILE": "test",
                }
            )
            sizes = ["--products", "1000", "--shoppers", "500", "--orders", "2000"]
            subprocess.run(
                [sys.executable, "-m", "api.operations.load", "marketplace", *sizes],
                cwd=ROOT,
                env=env,
                check=True,
                stdout=sys.stderr,
            )
            subprocess.run(
                [sys.executable, "-m", "api.search.rebuild"], cwd=ROOT, env=env, check=True, stdout=sys.stderr
            )
            server = api_of(folder, database, redis.url, gateway, fresh=True)
            try:
                server.start()
                with server.client() as api:
                    measure(api)
            finally:
                server.stop()
                sandbox.stop()


if __name__ == "__main__":
    sys.exit(main())
