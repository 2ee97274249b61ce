"""`souk bench fresh [--orders 30k|300k|3M] [--seconds 120]`: how fresh the marts are while ten orders a second arrive.

A temporary Postgres cluster holds a history of that many orders, made in SQL; `warehouse.cdc` and `transforms.refresh`
run as `souk up` runs them. An order counts as fresh when a reader of the published file sees it. `limit` of the
processor time is the full dbt build of the same history, measured in the same run.
"""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import duckdb
import psutil
import psycopg
import typer

from api.kernel.ids import new_id
from tests.benchmarks.apart import leave_platform
from tests.benchmarks.results import ROOT, latest, record
from tests.harness.postgres import running_postgres
from transforms.settings import TransformSettings
from warehouse.command import program
from warehouse.lake.read import latest_watermark
from warehouse.logs import configure

SIZES = {"30k": 30_000, "300k": 300_000, "3M": 3_000_000}
SELLERS, PRODUCTS, SHOPPERS = 50, 2_000, 5_000
ORDERS_PER_SECOND = 10
# Ids are numbers as UUIDs; those of orders and lines begin with the time, as the shop makes them.
HISTORY = """
create function pg_temp.id(kind int, n bigint) returns uuid language sql immutable as
  $$ select (lpad(kind::text, 8, '0') || '-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.timed(placed timestamptz, n bigint) returns uuid language sql stable as
  $$ select (lpad(to_hex((extract(epoch from placed) * 1000)::bigint), 12, '0') || '70008000'
             || lpad(n::text, 12, '0'))::uuid $$;
insert into users (user_id, email, password_hash, name, user_type)
  select pg_temp.id(1, n), 'seller' || n || '@example.com', '-', 'Seller ' || n, 'seller'
  from generate_series(1, {sellers}) n;
insert into users (user_id, email, password_hash, name, user_type)
  select pg_temp.id(2, n), 'shopper' || n || '@example.com', '-', 'Shopper ' || n, 'customer'
  from generate_series(1, {shoppers}) n;
insert into sellers (seller_id, name, country)
  select pg_temp.id(1, n), 'Store ' || n, 'GB' from generate_series(1, {sellers}) n;
insert into categories (category_id, name, path, level) values (pg_temp.id(3, 1), 'Things', 'Things', 0);
insert into products (product_id, seller_id, category_id, title, base_price, currency, created_at)
  select pg_temp.id(4, n), pg_temp.id(1, n % {sellers} + 1), pg_temp.id(3, 1), 'Thing ' || n, n % 90 + 9.99, 'USD',
         now() - interval '2 years'
  from generate_series(1, {products}) n;
insert into product_variants (variant_id, product_id, sku, price, attributes)
  select pg_temp.id(5, n), pg_temp.id(4, n), 'T' || n, n % 90 + 9.99, '{{}}' from generate_series(1, {products}) n;
"""
# Popular products are bought more often: the product of a line is a power of a uniform number.
ORDERS = """
create temporary table made on commit drop as
  select n, line, now() - interval '1 year' * (1 - n::float8 / {orders}) - interval '1 minute' as placed,
         (power((hashint8(n * 31 + line) & 1048575) / 1048576.0, 3) * {products})::bigint % {products} + 1 as product
  from generate_series({low}::bigint, {high}::bigint) n, generate_series(1, n % 3 + 1) line;
insert into orders (order_id, order_number, user_id, status, currency, subtotal, tax, shipping_fee, total,
                    payment_status, shipping_address, country, created_at, updated_at)
  select pg_temp.timed(placed, n), 'B' || n, pg_temp.id(2, (n * 7919) % {shoppers} + 1), 'delivered', 'USD',
         sum(product % 90 + 9.99), 0, 0, sum(product % 90 + 9.99), 'paid', '{{}}', 'GB', placed, placed
  from made group by n, placed;
insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity, price_at_purchase,
                         subtotal, created_at)
  select pg_temp.timed(placed, n * 4 + line), pg_temp.timed(placed, n), pg_temp.id(4, product), pg_temp.id(5, product),
         pg_temp.id(1, product % {sellers} + 1), 1, product % 90 + 9.99, product % 90 + 9.99, placed
  from made;
drop table made;
"""
ORDER = """
with placed as (
  insert into orders (order_id, order_number, user_id, status, currency, subtotal, tax, shipping_fee, total,
                      payment_status, shipping_address, country)
  select %(order)s, %(number)s, (select user_id from users where email = %(shopper)s), 'confirmed', 'USD', sum(price),
         0, 0, sum(price), 'paid', '{}', 'GB'
  from product_variants where sku = any(%(skus)s)
  returning order_id
)
insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, quantity, price_at_purchase,
                         subtotal)
select (%(lines)s::uuid[])[array_position(%(skus)s::text[], v.sku)], placed.order_id, v.product_id, v.variant_id,
       p.seller_id, 1, v.price, v.price
from placed, product_variants v join products p using (product_id) where v.sku = any(%(skus)s)
"""


def write_history(url: str, orders: int) -> None:
    """A marketplace with this many orders over the last year."""
    numbers = {"sellers": SELLERS, "products": PRODUCTS, "shoppers": SHOPPERS, "orders": orders}
    with psycopg.connect(url) as connection:
        connection.execute("set local synchronous_commit = off")
        connection.execute(HISTORY.format(**numbers).encode())
        for low in range(1, orders + 1, 100_000):
            high = min(low + 99_999, orders)
            connection.execute(ORDERS.format(**numbers, low=low, high=high).encode())


@contextmanager
def running(module: str, environment: dict[str, str]) -> Iterator[psutil.Process]:
    """The real process, as the supervisor starts it."""
    process = subprocess.Popen([sys.executable, "-m", module], env=environment, cwd=ROOT)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_for_lake(settings: TransformSettings, process: psutil.Process, seconds: float = 1_500.0) -> None:
    """Until the first snapshot is complete."""
    ends = time.monotonic() + seconds
    while latest_watermark(settings.lake_uri) is None:
        if time.monotonic() > ends or not process.is_running():
            raise RuntimeError("the lake has no watermark")
        time.sleep(0.2)


def order_steadily(url: str, seconds: float) -> dict[str, float]:
    """Ten orders a second; order id -> time of the answer to COMMIT."""
    committed: dict[str, float] = {}
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.perf_counter() - began < seconds:
            number, order = len(committed), str(new_id())
            skus = [f"T{(number * step) % PRODUCTS + 1}" for step in (7, 131)]
            values = {"order": order, "number": f"L{number}", "shopper": f"shopper{number % SHOPPERS + 1}@example.com"}
            connection.execute(ORDER, values | {"skus": skus, "lines": [str(new_id()) for _ in skus]})
            committed[order] = time.perf_counter()
            time.sleep(max(began + len(committed) / ORDERS_PER_SECOND - time.perf_counter(), 0))
    return committed


def watch(marts: Path, seen: dict[str, float], ended: threading.Event) -> None:
    """When a reader of the published file first sees each order."""
    identity: tuple[int, int] | None = None
    new = "order_number LIKE 'L%' AND created_at > current_timestamp - INTERVAL 1 HOUR"  # old base files are not read
    while not ended.wait(0.02):
        stat = marts.stat()
        if (stat.st_ino, stat.st_mtime_ns) == identity:
            continue
        identity = (stat.st_ino, stat.st_mtime_ns)
        with duckdb.connect(str(marts), read_only=True, config={"threads": 1}) as con:
            rows = con.execute(f"SELECT order_id FROM fct_orders WHERE {new}").fetchall()
        for (order,) in rows:
            seen.setdefault(order, time.perf_counter())


def full_build(environment: dict[str, str]) -> float:
    """CPU seconds of the first full build, in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "transforms.build"], env=environment, cwd=ROOT, check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(size: str, seconds: float) -> None:
    leave_platform()
    orders = SIZES[size]
    with tempfile.TemporaryDirectory() as name, running_postgres(Path(name) / "postgres", fsync=True) as server:
        database = server.fresh_database()
        url, folder = server.url(database, role="postgres"), Path(name)
        write_history(url, orders)
        home = folder / "home"
        environment = {**os.environ, "DATABASE_URL": url, "SOUK_HOME": str(home), "SOUK_CDC_SLOT": "bench_fresh"}
        settings = TransformSettings(home=home)
        with running("warehouse.cdc", environment) as cdc:
            wait_for_lake(settings, cdc)
            build_cpu = full_build(environment)
            sys.stderr.write(f"a full build of {orders} orders takes {build_cpu:.1f} CPU s\n")
            with running("transforms.refresh", environment) as marts:
                _measure_stream(url, settings, marts, size=size, seconds=seconds, build_cpu=build_cpu)


def _measure_stream(
    url: str, settings: TransformSettings, marts: psutil.Process, *, size: str, seconds: float, build_cpu: float
) -> None:
    status, ended = settings.marts_status_path, threading.Event()
    seen: dict[str, float] = {}
    _until(lambda: status.exists() and json.loads(status.read_text())["state"] == "following")
    watcher = threading.Thread(target=watch, args=(settings.marts_path, seen, ended))
    watcher.start()
    refreshes, cpu = json.loads(status.read_text())["refreshes"], cpu_seconds(marts)
    committed = order_steadily(url, seconds)
    _until(lambda: len(seen) >= len(committed))
    cpu = cpu_seconds(marts) - cpu
    report = json.loads(status.read_text())
    count = report["refreshes"] - refreshes
    features_cpu: float | None = report["features"].get("cpuSeconds")  # none while the first renewal goes on
    ended.set()
    watcher.join()
    waits = sorted(seen[order] - at for order, at in committed.items())
    extra = {"orders": len(waits), "ordersPerSecond": ORDERS_PER_SECOND, "refreshes": count, "history": size}
    for percent in (50, 99):
        wait = waits[len(waits) * percent // 100]
        record(
            "fresh",
            f"order to mart p{percent}, {size} orders",
            ours=wait,
            limit=None,
            unit="s",
            lower_is_better=True,
            **extra,
        )
    extra |= {"share": round(cpu / count / build_cpu, 4), "cpuMillisPerOrder": round(cpu / len(waits) * 1e3, 2)}
    if features_cpu is None:
        extra["note"] = "a renewal of features went on all the time and is counted"
    else:
        extra |= {"featuresCpuSeconds": features_cpu, "note": f"of it features {features_cpu / count:.2f} CPU s"}
    record(
        "fresh", f"one refresh against a full build, {size} orders", ours=cpu / count, limit=build_cpu, unit="CPU s",
        lower_is_better=True, **extra,
    )  # fmt: skip
    if features_cpu is not None:
        alone = (cpu - features_cpu) / count
        record(
            "fresh", f"one refresh of the marts alone, {size} orders", ours=alone, limit=build_cpu, unit="CPU s",
            lower_is_better=True, **extra,
        )  # fmt: skip
    _record_growth(size)


def _record_growth(size: str) -> None:
    """How the cost of one refresh grows with the history: exponents over the newest figures of this and smaller sizes.

    Features are renewed at a pace of their own, at most a fortieth of the time: two minutes of a large shop hold one
    renewal of ten or more, so the growth of the marts alone is said too.
    """
    known = latest("fresh")
    for what, line in (
        ("a refresh", "one refresh against a full build"),
        ("a refresh of the marts alone", "one refresh of the marts alone"),
    ):
        for smaller, orders in SIZES.items():
            before, now = (known.get(f"{line}, {name} orders") for name in (smaller, size))
            if orders < SIZES[size] and before is not None and now is not None:
                costs = float(str(now["ours"])) / float(str(before["ours"]))
                exponent = math.log(costs) / math.log(SIZES[size] / orders)
                name = f"growth of {what}, {smaller} to {size} orders"
                record("fresh", name, ours=exponent, limit=None, unit="exponent", lower_is_better=True)


def _until(done: Callable[[], bool], seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            raise RuntimeError("waited too long")
        time.sleep(0.05)


@program("python -m tests.benchmarks.fresh")
def main(
    orders: Annotated[Literal["30k", "300k", "3M"], typer.Option(help="Size of the history.")] = "30k",
    seconds: Annotated[float, typer.Option(help="How long orders arrive.")] = 120.0,
) -> int:
    """Measure one size; JSON lines on stdout."""
    configure("warning")
    measure(orders, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
