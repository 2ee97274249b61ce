"""A throw-away shop for benchmarks: its own Postgres with fsync on, Redis, gateways, worker and API.

Every process is started as the supervisor starts it, with the product's own defaults; no request is rate-limited.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psycopg

from api.operations.invariants.gateway import Gateway
from tests.benchmarks.apart import leave_platform
from tests.benchmarks.support import profile
from tests.benchmarks.support.target import Target
from tests.benchmarks.support.termination import ending_cleanly
from tests.harness.api import Server
from tests.harness.invariants import assert_invariants
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.processes import ROOT, Module
from tests.harness.redis import RedisHarness, running_redis

KEY = "benchmark-key"
GatewayKind = Literal["instant", "sandbox"]
# A million units more of every variant, as a warehouse books a delivery: the counter, one warehouse and the journal.
STOCK = b"""
with chosen as (select variant_id, min(warehouse_id::text)::uuid warehouse_id from warehouse_stock group by 1),
held as (update warehouse_stock s set available = available + 1000000 from chosen c
         where (s.variant_id, s.warehouse_id) = (c.variant_id, c.warehouse_id) returning s.variant_id, s.warehouse_id),
counted as (update product_variants v set stock_quantity = stock_quantity + 1000000, updated_at = now() from held h
            where v.variant_id = h.variant_id returning v.variant_id, h.warehouse_id, v.stock_quantity)
insert into inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change, transaction_type,
                                    previous_quantity, new_quantity)
select gen_random_uuid(), variant_id, warehouse_id, 1000000, 'adjustment', stock_quantity - 1000000, stock_quantity
from counted
"""


@dataclass
class BenchShop:
    """Started by `throw_away_shop`; `start_api` starts the API, or starts it again."""

    folder: Path
    postgres: PostgresHarness
    redis: RedisHarness
    url: str
    workers: int
    profiled: bool
    servers: dict[str, Module] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process of the shop."""
        sandbox, instant = self.servers["sandbox"], self.servers["instant"]
        assert isinstance(sandbox, Server)
        assert isinstance(instant, Server)
        gateways = f'{{"instant": {{"kind": "sandbox", "url": "{instant.url}", "key": "{KEY}"}}}}'
        return {
            "DATABASE_URL": self.url,
            "REDIS_URL": self.redis.url,
            "SOUK_HOME": str(self.folder),
            "SOUK_PROFILE": "test",
            "SOUK_SANDBOX_URL": sandbox.url,
            "SOUK_SANDBOX_KEY": KEY,
            "SOUK_PAYMENT_GATEWAYS": gateways,
        }

    def run(self, *module: str) -> None:
        """`python -m MODULE ...` to its end; it must succeed."""
        subprocess.run(
            [sys.executable, "-m", *module], cwd=ROOT, env={**os.environ, **self.env}, check=True, stdout=sys.stderr
        )

    def start_api(self, gateway: GatewayKind = "instant") -> Target:
        """The API with empty caches, whose new payments go to `gateway`; its processes can be profiled when asked."""
        self.stop("api")
        self.redis.flush()
        own = {"SOUK_API_WORKERS": str(self.workers), "SOUK_PAYMENT_GATEWAY": gateway, **self._sampled("api")}
        api = self._start(Server("api", "SOUK_API_URL", self.folder, {**self.env, **own}, fresh=True), "api")
        return self.target(api.url, "api", "worker")

    def start_reference(self, pages: Mapping[str, bytes]) -> Target:
        """A FastAPI app on the shop's server that answers with ready pages, each at the path of its name."""
        folder = self.folder / "pages"
        folder.mkdir(exist_ok=True)
        for name, page in pages.items():
            (folder / name).write_bytes(page)
        own = {"SOUK_API_WORKERS": str(self.workers), "BENCH_PAGES": str(folder)}
        module = "tests.benchmarks.support.reference"
        server = Server(module, "SOUK_API_URL", self.folder, {**self.env, **own}, fresh=True)
        return self.target(self._start(server, "reference").url)

    def stop(self, name: str) -> None:
        """Stop a process; does nothing when it was not started."""
        if (running := self.servers.pop(name, None)) is not None:
            running.stop()

    def target(self, url: str, *sampled: str) -> Target:
        """Where to send requests; the time of every process counts under its name, and those named are profiled."""
        roots = {name: server.pid for name, server in self.servers.items()}
        roots |= {"postgres": self.postgres.pid, "redis": self.redis.pid}
        port = int(url.rsplit(":", 1)[1])
        names = sampled if self.profiled else ()
        profilers = {name: profile.Profiler(roots[name], self.folder / "profile" / name) for name in names}
        return Target(port, roots, self.url, self.folder, profilers, self.wrong)

    def _sampled(self, name: str) -> dict[str, str]:
        """What a process needs so that it can be profiled."""
        return profile.environment(self.folder / "profile" / name) if self.profiled else {}

    def check(self, answered_orders: int) -> None:
        """Raises AssertionError unless every answer was right, every order that was answered 201 is there and paid,
        and every invariant holds, those of both gateways' ledgers included."""
        assert not self.wrong, self.wrong[0]
        sandbox, instant = self.servers["sandbox"], self.servers["instant"]
        assert isinstance(sandbox, Server)
        assert isinstance(instant, Server)
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "select count(*) from orders join payments using (order_id) where payments.origin = 'native'"
                " and payment_status = 'paid' and payments.status = 'captured'"
            ).fetchone()
        assert row is not None
        assert row[0] == answered_orders, f"{answered_orders} orders were answered 201, {row[0]} are paid"
        assert_invariants(
            self.url, sandbox_url=sandbox.url, sandbox_key=KEY, others=[Gateway(instant.url, KEY, "instant")]
        )

    def _start(self, server: Server, name: str) -> Server:
        self.servers[name] = server
        server.start()
        return server

    def start_others(self) -> None:
        """Both gateways, and a marketplace's history in the tables, the search index and the sandbox's ledger."""
        sandbox = {"SOUK_SANDBOX_KEY": KEY}
        self._start(Server("api.sandbox", "SOUK_SANDBOX_URL", self.folder, sandbox, fresh=True), "sandbox")
        module = "tests.benchmarks.support.gateway"
        self._start(Server(module, "BENCH_GATEWAY_URL", self.folder, {}, fresh=True), "instant")

    def fill(self, products: int, *, stocked: bool, shoppers: int = 500, orders: int = 2_000) -> None:
        """A marketplace and its search index; `stocked`: with more units than any benchmark sells."""
        sizes = ("--products", str(products), "--shoppers", str(shoppers), "--orders", str(orders))
        self.run("api.operations.load", "marketplace", *sizes)
        with psycopg.connect(self.url, autocommit=True) as connection:
            if stocked:
                connection.execute(STOCK)
            connection.execute("vacuum analyze")
        self.run("api.search.rebuild")
        worker = Module("api.worker", self.folder, {**self.env, **self._sampled("worker")}, fresh=True)
        self.servers["worker"] = worker
        worker.start()


@contextmanager
def throw_away_shop(
    products: int, *, workers: int, profiled: bool = False, stocked: bool = True
) -> Iterator[BenchShop]:
    """A shop with that many products, without its API yet. Everything ends and is deleted afterwards."""
    leave_platform()
    with ending_cleanly(), tempfile.TemporaryDirectory(prefix="souk-bench-") as name:
        folder = Path(name)
        # The size that the product starts Postgres with, not the small one of tests.
        product_size = (("shared_buffers", "256MB"),)
        with (
            running_postgres(folder / "postgres", fsync=True, settings=product_size) as postgres,
            running_redis(folder / "redis") as redis,
        ):
            url = postgres.url(postgres.fresh_database())
            shop = BenchShop(folder, postgres, redis, url, workers, profiled)
            try:
                shop.start_others()
                shop.fill(products, stocked=stocked)
                yield shop
            finally:
                for server in reversed(shop.servers.values()):
                    server.stop()
