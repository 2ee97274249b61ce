"""The facts that have a day, one Parquet file per fact and UTC day: `$SOUK_HOME/marts/days/<fact>/<day>.parquet`.

A day is made from the lake, by the SQL of the last full build, without what the published marts leave out and with what
they say corrected a closed day. So is any range of days: what a backfill writes equals the full build at the same
watermark, row for row. polars, Spark and DuckDB read the files without code of ours.
"""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from graphlib import TopologicalSorter
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.dbt_project import load_manifest
from transforms.errors import BuildFailed
from transforms.incremental.corrections import correct_as_published
from transforms.incremental.state import source_of
from transforms.lake import newest_watermark
from transforms.marts import prepare
from transforms.publish import connect
from transforms.settings import TransformSettings
from transforms.withheld import withhold_as_published
from warehouse.files import replace_file, sync
from warehouse.lake.read import Watermark, literal

FACTS = {"fct_orders": "order_date", "fct_order_items": "order_date", "mart_seller__sales_day": "order_date"}
"""Mart -> the column that holds its day."""

Node = Mapping[str, Any]  # Any: dbt's manifest is a JSON document of its own schema


@dataclass(frozen=True)
class DaysBuilt:
    """What one call wrote. `rows` by fact, over all its days."""

    first: date
    last: date
    watermark: Watermark
    rows: dict[str, int]


def build_days(settings: TransformSettings, first: date, last: date, watermark: Watermark | None = None) -> DaysBuilt:
    """Write the files of every fact for the days from `first` to `last`, both included, at one watermark.

    A reader sees the old or the new file of a day. Safe to run again after any crash. Calls wait for each other.
    Raises: LakeNotReady without a watermark, BuildFailed before the first full build.
    """
    watermark = watermark or newest_watermark(settings.lake_uri)
    nodes = _compiled(settings)
    with _only_call(settings.days_folder) as folder:
        private = folder / "souk.duckdb"  # the compiled SQL names this database
        prepare(private, settings.lake_uri, watermark, datetime.now(UTC))
        withhold_as_published(private, settings.marts_path)
        correct_as_published(private, settings.marts_path, source_of(watermark))
        with connect(private, lake=settings.lake_uri) as con:
            _create_views(con, nodes)
            rows = {fact: _write(con, settings.days_folder / fact, nodes, fact, (first, last)) for fact in FACTS}
    return DaysBuilt(first, last, watermark, rows)


def days_that_differ(settings: TransformSettings) -> list[date]:
    """Days whose files are missing or are not what the published marts hold, oldest first.

    A fact's closed day changes when an order of that day moves on; its file is made again then.
    """
    found: set[date] = set()
    with connect(Path(":memory:")) as con:
        con.execute(f"ATTACH {literal(str(settings.marts_path))} AS published (READ_ONLY)")
        for fact, day in FACTS.items():
            mart, files = f"published.{fact}", settings.days_folder / fact
            ours = _digests(con, mart, day)
            theirs: dict[date, tuple[int, int]] = {}
            if any(files.glob("*.parquet")):
                scan = f"read_parquet({literal(str(files / '*.parquet'))}, union_by_name = true)"
                if _columns(con, mart) == _columns(con, scan):
                    theirs = _digests(con, scan, day)
            found |= {day for day in ours.keys() | theirs.keys() if ours.get(day) != theirs.get(day)}
    return sorted(found)


def _digests(con: duckdb.DuckDBPyConnection, relation: str, day: str) -> dict[date, tuple[int, int]]:
    """Day -> number of rows, and the sum of the rows' hashes."""
    found = con.execute(f"SELECT {day}, count(*), sum(hash(row_)::HUGEINT) FROM {relation} AS row_ GROUP BY {day}")
    return {moment: (int(count), int(total)) for moment, count, total in found.fetchall()}


def _columns(con: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    described = con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [(str(name), str(kind)) for name, kind, *_ in described]


def _compiled(settings: TransformSettings) -> dict[str, Node]:
    """The models that the facts are made of, parents first, from the manifest of the last full build."""
    path = settings.dbt_target / "manifest.json"
    nodes: dict[str, Node] = load_manifest(path)["nodes"] if path.exists() else {}
    parents: dict[str, list[str]] = {}
    wanted = [name for name, node in nodes.items() if node["resource_type"] == "model" and node["name"] in FACTS]
    while wanted:
        name = wanted.pop()
        parents[name] = [parent for parent in nodes[name]["depends_on"]["nodes"] if parent.startswith("model.")]
        wanted += [parent for parent in parents[name] if parent not in parents]
    if not parents or not all(nodes[name].get("compiled_code") for name in parents):
        raise BuildFailed(["no full build has run yet, so there is no compiled SQL: `souk pipeline` runs one"])
    return {name: nodes[name] for name in TopologicalSorter(parents).static_order()}


def _create_views(con: duckdb.DuckDBPyConnection, nodes: Mapping[str, Node]) -> None:
    """Every model as a view, so that only the rows of the days are kept."""
    for node in nodes.values():
        con.execute(f'CREATE SCHEMA IF NOT EXISTS "{node["schema"]}"')
        con.execute(f"CREATE VIEW {node['relation_name']} AS {node['compiled_code']}")


def _write(
    con: duckdb.DuckDBPyConnection, folder: Path, nodes: Mapping[str, Node], fact: str, days: tuple[date, date]
) -> int:
    """Write one fact's files of the days; returns their rows. A day without rows has a file without rows."""
    node = next(node for node in nodes.values() if node["name"] == fact)
    day, columns = FACTS[fact], node["columns"].values()
    cast = ", ".join(f'"{column["name"]}"::{column["data_type"]} AS "{column["name"]}"' for column in columns)
    query = f"SELECT {cast} FROM {node['relation_name']} WHERE {day} BETWEEN ? AND ? ORDER BY {day}"
    con.execute(f"CREATE TEMP TABLE days AS {query}", list(days))
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    for number in range((days[1] - days[0]).days + 1):
        moment = days[0] + timedelta(days=number)
        table = con.execute(f"SELECT * FROM days WHERE {day} = ? ORDER BY ALL", [moment]).to_arrow_table()
        _write_day(table, folder / f"{moment}.parquet")
        rows += table.num_rows
    sync(folder)
    con.execute("DROP TABLE days")
    return rows


def _write_day(table: pa.Table, path: Path) -> None:
    content = BytesIO()
    pq.write_table(table, content, compression="zstd")
    replace_file(path, content.getvalue(), durable=False)


@contextmanager
def _only_call(days: Path) -> Iterator[Path]:
    """A folder of its own for one call at a time, emptied before. The lock ends with the process."""
    folder = days / ".build"
    folder.mkdir(parents=True, exist_ok=True)
    with (days / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
