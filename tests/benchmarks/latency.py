"""`python -m tests.benchmarks.latency`: what one shopper waits for, request by request, over HTTP on a throw-away shop with fsync on.

`limit` is the same process answering `/health/live` in the same run: the floor that HTTP and the framework set.
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

import httpx

from tests.benchmarks.results import ROOT, record
from tests.harness.api import Server, running_api
from tests.harness.postgres import running_postgres
from tests.harness.redis import running_redis

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


def measure(api: httpx.Client) -> None:
    """Every request kind against the floor."""
    floor = percentiles(lambda _: api.get("/health/live"), REQUESTS)[0]

    def report(name: str, times: int, call: Callable[[int], httpx.Response]) -> None:
        p50, p95, p99 = percentiles(call, times)
        spread = f"p95 {p95:.1f}, p99 {p99:.1f}"
        record("latency", name, ours=p50, limit=floor, unit="ms p50", lower_is_better=True, note=spread, p95=p95, p99=p99, requests=times)

    listed = api.get("/api/v1/products", params={"limit": 100}).json()["products"]
    products = [row["productId"] for row in listed if row["inStock"]]
    random.Random(7).shuffle(products)
    variants = [api.get(f"/api/v1/products/{product}").json()["variants"] for product in products[:40]]
    sellable = [(product, v["variantId"]) for product, vs in zip(products, variants, strict=False) for v in vs if v["stock"] > 20]
    buyable = itertools.cycle(sellable)
    words = [row["title"].split()[-1] for row in listed]

    report("product list, 24", REQUESTS, lambda i: api.get("/api/v1/products", params={"limit": 24, "page": 1 + i % 5}))
    report("product detail", REQUESTS, lambda i: api.get(f"/api/v1/products/{products[i % len(products)]}"))
    report("search with facets", REQUESTS, lambda i: api.get("/api/v1/search", params={"q": words[i % len(words)]}))
    session = {"X-Session-Id": "benchmark-session"}

    def add_to_cart(_: int) -> httpx.Response:
        product, variant = next(buyable)
        return api.post("/api/v1/cart/items", json={"productId": product, "variantId": variant, "quantity": 1}, headers=session)

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
        return api.post("/api/v1/orders", json=body, headers={"X-Session-Id": f"buyer-{i:06d}", "Idempotency-Key": f"latency-{i}"})

    report("place an order, paid", ORDERS, order)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="souk-latency-") as name:
        folder = Path(name)
        with running_postgres(folder / "postgres", fsync=True) as postgres, running_redis(folder / "redis") as redis:
            database = postgres.url(postgres.fresh_database())
            sandbox = Server("api.sandbox", "SOUK_SANDBOX_URL", folder, {"SOUK_SANDBOX_KEY": "benchmark-key"})
            sandbox.start()
            gateway = {"SOUK_SANDBOX_URL": sandbox.url, "SOUK_SANDBOX_KEY": "benchmark-key"}
            env = (
                os.environ | gateway | {"DATABASE_URL": database, "REDIS_URL": redis.url, "SOUK_HOME": str(folder), "SOUK_PROFILE": "test"}
            )
            sizes = ["--products", "1000", "--shoppers", "500", "--orders", "2000"]
            subprocess.run([sys.executable, "-m", "api.load", "marketplace", *sizes], cwd=ROOT, env=env, check=True, stdout=sys.stderr)
            subprocess.run([sys.executable, "-m", "api.search.rebuild"], cwd=ROOT, env=env, check=True, stdout=sys.stderr)
            try:
                with running_api(folder, database, redis.url, **gateway) as server, server.client() as api:
                    measure(api)
            finally:
                sandbox.stop()


if __name__ == "__main__":
    main()
