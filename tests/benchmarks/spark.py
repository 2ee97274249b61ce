"""`souk bench spark [--orders 30k,300k,3M]`: from which size on Spark is faster than DuckDB at the same jobs.

Both engines compute co-purchase pairs and interaction sequences from the same lake, each in a process of its own as the
platform runs it, starts included. The lake holds orders made with a fixed seed; the catalog and the shoppers grow with
them. `ours` is DuckDB, `limit` Spark on this machine.
"""

import ctypes
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import duckdb
import pyarrow as pa
import typer

from tests.benchmarks.results import ROOT, record
from transforms.jobs.lake import count_lines
from warehouse.command import program
from warehouse.contract import Table, load_contract
from warehouse.lake.append import Appender
from warehouse.lake.catalog import ensure_changes, ensure_current
from warehouse.lake.read import Watermark, connect
from warehouse.lake.watermark import TableVersion, open_watermarks, write_watermark
from warehouse.logs import configure
from warehouse.places import CONTRACT_PATH

SIZES = {"30k": 30_000, "300k": 300_000, "3M": 3_000_000, "10M": 10_000_000}
ENGINES = ("duckdb", "spark")
_LSN = 1
_PR_SET_CHILD_SUBREAPER = 36
# Ids are numbers as UUIDs. Baskets have 2.2 lines on average, rarely dozens; popular products are bought more often,
# and each shopper has a corner of the catalog.
_ORDERS = """
CREATE MACRO uniform(n, salt) AS (hash(n * 16 + salt) >> 11)::DOUBLE / 9007199254740992;
CREATE MACRO id(kind, n) AS printf('%08d-0000-7000-8000-%012d', kind, n);
CREATE TABLE placed AS SELECT n, (n * 7919) % {shoppers} AS shopper,
    least(1 + floor(-1.7 * ln(1 - uniform(n, 1))), 150)::BIGINT AS lines,
    TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_seconds(n * {step}) AS moment
  FROM range({orders}) AS made (n);
CREATE VIEW orders AS SELECT id(6, n) AS order_id, CASE WHEN n % 10 < 8 THEN id(2, shopper) END AS user_id,
    CASE WHEN n % 20 = 0 THEN 'cancelled' ELSE 'delivered' END AS status, moment AS created_at FROM placed;
CREATE VIEW order_items AS SELECT id(7, n * 200 + line) AS order_item_id, id(6, n) AS order_id,
    id(4, CASE WHEN uniform(n * 200 + line, 2) < 0.5 THEN power(uniform(n * 200 + line, 3), 4) * {products}
      ELSE (shopper * 31 + floor(uniform(n * 200 + line, 4) * 20)) % {products} END::BIGINT) AS product_id
  FROM (SELECT *, unnest(range(lines)) AS line FROM placed);
"""


@dataclass(frozen=True)
class Cost:
    """What one process and all that it started used."""

    wall: float
    cpu: float
    peak_mib: float


def write_lake(lake: str, orders: int) -> Watermark:
    """A lake with `orders` and `order_items`, as change capture lays it out after a fold."""
    contract = load_contract(CONTRACT_PATH)
    numbers = {"orders": orders, "products": max(2_000, orders // 100), "shoppers": max(5_000, orders // 10)}
    with connect() as con:
        for statement in _ORDERS.format(**numbers, step=365 * 86_400 / orders).split(";\n"):
            con.execute(statement)
        versions = {name: _write_table(con, lake, contract.by_name[name]) for name in ("orders", "order_items")}
    now = datetime.now(UTC)
    mark = Watermark(_LSN, now, now, versions)
    write_watermark(open_watermarks(lake), mark)
    return mark


def _write_table(con: duckdb.DuckDBPyConnection, lake: str, table: Table) -> TableVersion:
    changes, current = Appender(ensure_changes(lake, table)), Appender(ensure_current(lake, table))
    rows = con.execute(f"SELECT *, {_LSN}::BIGINT AS _commit_lsn FROM {table.name}").to_arrow_reader(100_000)
    parts = (_complete(pa.Table.from_batches([batch]), table.current_schema) for batch in rows)
    version = current.write(parts, table.current_schema, _LSN)
    return TableVersion(changes.version, version, folded_lsn=_LSN)


def _complete(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with every column of the table; null where these orders have none."""
    have = set(rows.column_names)
    columns = [rows[f.name].cast(f.type) if f.name in have else pa.nulls(rows.num_rows, f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def measured(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[Cost, dict[str, object]]:
    """Run the command to its end and that of every process it left (Spark's JVM ends after Python); its JSON answer."""
    started, cpu, peak = time.perf_counter(), 0.0, 0
    with tempfile.TemporaryFile() as answer:
        first = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=answer)
        wall = 0.0
        while True:
            try:
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            cpu, peak = cpu + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss)
            if pid == first.pid:
                wall, first.returncode = time.perf_counter() - started, os.waitstatus_to_exitcode(status)
        if first.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)} ended with status {first.returncode}")
        answer.seek(0)
        document: dict[str, object] = json.loads(answer.read())
    return Cost(wall, cpu, peak / 1024), document


def measure(size: str) -> tuple[int, dict[str, Cost]]:
    """The order lines of this size, and what each engine used; both must find the same numbers of rows."""
    with tempfile.TemporaryDirectory(prefix="souk-bench-spark-") as name:
        home = Path(name)
        lines = count_lines(str(home / "lake"), write_lake(str(home / "lake"), SIZES[size]))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOUK_", "SPARK_"))}
        costs, rows = {}, {}
        for engine in ENGINES:
            environment = kept | {"SOUK_HOME": str(home), "SOUK_JOBS_ENGINE": engine}
            argv = [sys.executable, "-m", "transforms.spark.run", "--json"]
            costs[engine], document = measured(argv, environment)
            rows[engine] = document["rows"]
            sys.stderr.write(f"{size} orders, {lines:,} lines, {engine}: {costs[engine]}\n")
        if rows["duckdb"] != rows["spark"]:
            raise RuntimeError(f"the engines differ: {rows}")
    return lines, costs


def crossover(points: Sequence[tuple[int, float, float]]) -> float | None:
    """Where Spark's curve falls below DuckDB's, between two measured sizes on logarithmic scales; None where it never
    does. `points`: (lines, DuckDB, Spark), the smallest first."""
    gaps = [(math.log(lines), math.log(spark / plain)) for lines, plain, spark in points]
    if gaps[0][1] <= 0:
        return float(points[0][0])
    for (low, before), (high, after) in pairwise(gaps):
        if before > 0 >= after:
            return math.exp(low + (high - low) * before / (before - after))
    return None


def record_costs(size: str, lines: int, costs: Mapping[str, Cost]) -> None:
    plain, spark = costs["duckdb"], costs["spark"]
    memory = {"peakMib": round(plain.peak_mib), "sparkPeakMib": round(spark.peak_mib)}
    for unit, word, ours, limit in (
        ("s", "time", plain.wall, spark.wall),
        ("CPU s", "processor time", plain.cpu, spark.cpu),
    ):
        record(
            "spark", f"pairs and sequences of {size} orders, {word}", ours=ours, limit=limit, unit=unit,
            lower_is_better=True, orderLines=lines, **memory,
        )  # fmt: skip


def record_crossover(points: Sequence[tuple[int, float, float]], word: str) -> None:
    """From where on Spark needs less, or the largest size when it never did."""
    found, largest = crossover(points), points[-1][0]
    note = "measured between two sizes" if found else f"no crossover up to the largest size, {largest:,} order lines"
    name = f"DuckDB needs less {word} than Spark up to"
    record("spark", name, ours=found or largest, limit=None, unit="order lines", crossover=found, note=note)


@program("python -m tests.benchmarks.spark")
def main(
    orders: Annotated[str, typer.Option(help=f"Sizes of the shop, by comma, of: {', '.join(SIZES)}.")] = "30k,300k,3M",
) -> int:
    """Measure each size with both engines; JSON lines on stdout."""
    configure("warning")
    sizes = sorted(orders.split(","), key=lambda size: SIZES.get(size, 0))
    if unknown := [size for size in sizes if size not in SIZES]:
        sys.stderr.write(f"--orders: there is no size {', '.join(unknown)}; there are: {', '.join(SIZES)}\n")
        return 2
    # A process that outlives its parent becomes ours, so that its processor time counts.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    found: list[tuple[int, dict[str, Cost]]] = []
    for size in sizes:
        lines, costs = measure(size)
        record_costs(size, lines, costs)
        found.append((lines, costs))
    record_crossover([(lines, costs["duckdb"].wall, costs["spark"].wall) for lines, costs in found], "time")
    record_crossover([(lines, costs["duckdb"].cpu, costs["spark"].cpu) for lines, costs in found], "processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
