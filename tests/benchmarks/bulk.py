"""`python -m tests.benchmarks.bulk [--rows N ...]`: rows per second of files of products, on a temporary cluster with
fsync on, by the worker's own function in a process of its own.

`bulk.new` is a file of new products, three variants each with stock, in a shop that has none; `bulk.again` is the same
file again. The limit of both is COPY of the rows that the first one wrote, into the shop's own tables under the same
constraints and triggers. Peak memory is the process's.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from tests.benchmarks.load import copy_back, export
from tests.benchmarks.results import ROOT, record
from tests.benchmarks.support.usage import cpu_seconds
from tests.harness.postgres import PostgresHarness, running_postgres
from tests.harness.redis import running_redis
from warehouse.command import program
from warehouse.logs import configure

SELLER = "seller@example.com"
VARIANTS = 3
TABLES = ("users", "sellers", "categories", "warehouses", "products", "product_variants", "warehouse_stock")
JOURNAL = "inventory_transactions"
COLUMNS = ("product", "sku", "title", "description", "category", "brand", "price", "images", "specifications.material",
           "attributes.size", "stock")  # fmt: skip


def write_file(path: Path, rows: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in range(rows):
            product, size = divmod(row, VARIANTS)
            first = [f"Product {product} of many", "d" * 200, "/Home/Lamps", f"Brand {product % 40}",
                     f"{10 + product % 90}.50", f"https://img.example/{product}.jpg", "linen"]  # fmt: skip
            writer.writerow([f"P{product}", f"SKU-{row}", *(first if size == 0 else [""] * 7), "SML"[size], 5])


def prepare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        person = "insert into users (user_id, email, name, user_type, password_hash) values (%s, %s, 'S', 'seller', '')"
        seller = "0190a6e0-0000-7000-8000-000000000001"
        connection.execute(person.encode(), (seller, SELLER))
        store = "insert into sellers (seller_id, name, country, verified) values (%s, 'Store', 'US', true)"
        connection.execute(store.encode(), (seller,))
        category = "insert into categories (category_id, name, path, level) values (gen_random_uuid(), %s, %s, 1)"
        connection.execute(category.encode(), ("Lamps", "/Home/Lamps"))


def send(path: Path, env: dict[str, str]) -> dict[str, Any]:
    """What `souk load catalogue` says of a file."""
    command = [sys.executable, "-m", "api.operations.load", "catalogue", str(path), "--seller", SELLER, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def measure(server: PostgresHarness, redis_url: str, folder: Path, rows: int) -> None:
    database = server.fresh_database()
    url, path = server.url(database), folder / "products.csv"
    prepare(url)
    write_file(path, rows)
    env = {**os.environ, "DATABASE_URL": url, "REDIS_URL": redis_url, "SOUK_HOME": str(folder), "SOUK_PROFILE": "test"}
    figures = {}
    for name in ("new", "again"):
        before, own = cpu_seconds({"postgres": server.pid}), resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        summary = send(path, env)
        seconds = time.perf_counter() - started
        after, done = cpu_seconds({"postgres": server.pid}), resource.getrusage(resource.RUSAGE_CHILDREN)
        wanted = "created" if name == "new" else "unchanged"
        if summary[wanted] != rows:
            raise SystemExit(f"{summary[wanted]} of {rows} rows were {wanted}: {summary}")
        spent = done.ru_utime + done.ru_stime - own.ru_utime - own.ru_stime
        figures[name] = {
            "seconds": round(seconds, 2),
            "rate": summary["rowsPerSecond"],
            "cpu_ms": round(spent * 1_000 / rows, 3),
            "postgres_ms": round((after["postgres"] - before["postgres"]) * 1_000 / rows, 3),
            "peakMemoryMiB": summary["peakMemoryMiB"],
        }
    limit = rows / _copied(server, url, folder)
    for name, found in figures.items():
        rate = float(str(found.pop("rate")))
        note = f"{found['cpu_ms']} CPU ms a row, {found['postgres_ms']} of Postgres; peak {found['peakMemoryMiB']} MiB"
        record("bulk", f"bulk.{name}.{rows}", ours=rate, limit=limit, unit="rows/s", note=note, rows=rows, **found)
    server.drop_database(database)


def _copied(server: PostgresHarness, url: str, folder: Path) -> float:
    """Seconds to COPY what the file made into another database of the shop."""
    columns = export(url, folder, (*TABLES, JOURNAL))
    other = server.fresh_database()
    try:
        return copy_back(server.url(other), folder, columns)
    finally:
        server.drop_database(other)


@program("python -m tests.benchmarks.bulk")
def main(
    rows: Annotated[list[int] | None, typer.Option("--rows", help="Rows of a file; again for several files.")] = None,
) -> int:
    """Measure files of 1,000, 10,000 and 100,000 rows."""
    configure("warning")
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_postgres(Path(scratch) / "postgres", fsync=True) as server,
        running_redis(Path(scratch) / "redis") as redis,
    ):
        for number in rows or [1_000, 10_000, 100_000]:
            folder = Path(scratch) / str(number)
            folder.mkdir()
            measure(server, redis.url, folder, number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
