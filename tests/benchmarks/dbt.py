"""`souk bench dbt`: dbt's build compared with the same SQL run directly in DuckDB, on the same lake, in one run.

The lake is the one under SOUK_HOME; without one, a seeded shop of 20,000 orders. Both sides run every model and every
data test with two threads into a new file. Imports are not counted. Parsing the project is counted, because every build
does it.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from tests.benchmarks.apart import leave_platform
from tests.benchmarks.results import record
from tests.harness.synthetic_lake import START, random_shop, write_lake
from transforms.dbt_project import load_manifest, run_dbt
from transforms.marts import prepare
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.command import program
from warehouse.lake.read import Watermark, latest_watermark
from warehouse.logs import configure

_SCHEMAS = ("staging", "intermediate", "features")


@program("python -m tests.benchmarks.dbt")
def main() -> int:
    """Measure the build and the bare SQL, each after a first run."""
    configure("warning")
    with tempfile.TemporaryDirectory(prefix="souk-bench-dbt-") as scratch:
        folder = Path(scratch)
        settings, mark = _lake(folder)
        now = datetime.now(UTC)
        database = folder / "dbt" / "souk.duckdb"
        database.parent.mkdir()
        # The first run fills dbt's partial parse and DuckDB's caches; the second is measured. Both are of one path, as
        # all builds of a shop are: dbt parses the whole project again when a variable has changed.
        for _ in range(2):
            database.unlink(missing_ok=True)
            prepare(database, settings.lake_uri, mark, now)
            started, cpu = time.perf_counter(), time.process_time()
            run = run_dbt(settings, database)
            ours, ours_cpu = time.perf_counter() - started, time.process_time() - cpu
        bare = folder / "bare" / "souk.duckdb"
        bare.parent.mkdir()
        prepare(bare, settings.lake_uri, mark, now)
        started, cpu = time.perf_counter(), time.process_time()
        lines = _run_bare(bare, settings.dbt_target)
        limit, limit_cpu = time.perf_counter() - started, time.process_time() - cpu
        nodes = {"models": run.models, "tests": run.tests, "order_lines": lines}
        record(
            "dbt",
            "dbt build beside the same SQL in DuckDB",
            ours=ours,
            limit=limit,
            unit="s",
            lower_is_better=True,
            **nodes,
        )
        record(
            "dbt",
            "the same, processor time",
            ours=ours_cpu,
            limit=limit_cpu,
            unit="CPU s",
            lower_is_better=True,
            **nodes,
        )
    return 0


def _lake(folder: Path) -> tuple[TransformSettings, Watermark]:
    """Settings whose lake has a watermark, and whose target only this benchmark uses."""
    target = folder / "target"
    found = TransformSettings(dbt_target=target)
    mark = latest_watermark(found.lake_uri)
    if mark is not None:
        return found, mark
    leave_platform()
    settings = TransformSettings(home=folder / "home", dbt_target=target)
    shop = random_shop(1, products=2_000, users=3_000, orders=20_000, days=365)
    return settings, write_lake(Path(settings.lake_uri), shop.rows, lsn=1, as_of=START + timedelta(days=366))


def _run_bare(database: Path, target: Path) -> int:
    """Every compiled model in order of its parents, then every compiled data test, on one connection; returns the
    number of order lines."""
    nodes = load_manifest(target / "manifest.json")["nodes"]
    with connect(database) as con:
        con.execute("SET threads = 2")
        con.execute("SET preserve_insertion_order = false")
        for schema in _SCHEMAS:
            con.execute(f"CREATE SCHEMA {schema}")
        done: set[str] = set()
        for key in nodes:
            _create(con, nodes, key, done)
        for node in nodes.values():
            if node["resource_type"] == "test":
                con.execute(node["compiled_code"]).fetchall()
        row = con.execute("SELECT count(*) FROM main.fct_order_items").fetchone()
        return int(row[0]) if row else 0


def _create(con: duckdb.DuckDBPyConnection, nodes: dict[str, dict[str, object]], key: str, done: set[str]) -> None:
    node = nodes.get(key)
    if node is None or key in done or node["resource_type"] != "model":
        return
    done.add(key)
    depends, config = node["depends_on"], node["config"]
    assert isinstance(depends, dict)
    assert isinstance(config, dict)
    for parent in depends["nodes"]:
        _create(con, nodes, parent, done)
    kind = "VIEW" if config["materialized"] == "view" else "TABLE"
    con.execute(f"CREATE {kind} {node['schema']}.{node['name']} AS {node['compiled_code']}")


if __name__ == "__main__":
    sys.exit(main())
