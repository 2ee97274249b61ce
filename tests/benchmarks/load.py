"""`python -m tests.benchmarks.load [marketplace] [online-retail PATH]`: rows per second of loaded history on a
temporary cluster with fsync on.

Two limits are measured in the same run with the same bytes. One is COPY into bare tables (no index, key or check). The
other is COPY into the shop's tables, which includes the cost of the constraints. `ours` is the whole load: reading,
deriving every row, writing, commit.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from api.operations.load.copy import copy_statement
from tests.benchmarks.results import record
from tests.harness.history import load_process, loaded
from tests.harness.postgres import PostgresHarness, running_postgres
from warehouse.command import program
from warehouse.logs import configure

# In an order that satisfies the foreign keys.
TABLES = (
    *(
        "users",
        "sellers",
        "categories",
        "warehouses",
        "products",
        "product_variants",
        "warehouse_stock",
        "inventory_transactions",
    ),
    *("orders", "order_items", "order_events", "outbox_events", "payments", "returns", "refunds"),
)
CHUNK = 1 << 20


def export(database_url: str, folder: Path, tables: Sequence[str] = TABLES) -> dict[str, list[str]]:
    """Write every table to `folder` as CSV of COPY; returns the columns by table."""
    columns: dict[str, list[str]] = {}
    with psycopg.connect(database_url) as connection:
        for table in tables:
            cursor = connection.execute(f"SELECT * FROM {table} LIMIT 0")
            columns[table] = [column.name for column in cursor.description or ()]
            statement = f"COPY {table} TO STDOUT (FORMAT csv, NULL '\\N')"
            with (
                (folder / f"{table}.csv").open("wb") as file,
                connection.cursor() as reader,
                reader.copy(statement) as copy,
            ):
                for part in copy:
                    file.write(part)
    return columns


def copy_back(database_url: str, folder: Path, columns: dict[str, list[str]]) -> float:
    """Seconds to COPY the exported bytes in one transaction."""
    with psycopg.connect(database_url) as connection:
        started = time.perf_counter()
        for table, named in columns.items():
            statement = copy_statement(table, named)
            with (
                (folder / f"{table}.csv").open("rb") as file,
                connection.cursor() as cursor,
                cursor.copy(statement) as copy,
            ):
                while part := file.read(CHUNK):
                    copy.write(part)
        connection.commit()
        return time.perf_counter() - started


def bare_tables(database_url: str, server: PostgresHarness) -> str:
    """Create a database whose tables have the same columns and nothing else; returns its URL."""
    url = server.url(server.fresh_database(migrate=None))
    with psycopg.connect(database_url) as source, psycopg.connect(url) as target:
        for table in TABLES:
            query = (
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = %s::regclass AND"
                " attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )
            columns = ", ".join(f"{name} {kind}" for name, kind in source.execute(query, (table,)).fetchall())
            target.execute(f"CREATE TABLE {table} ({columns})".encode())
    return url


def measure(server: PostgresHarness, folder: Path, arguments: tuple[str, ...]) -> None:
    """Measure one data set and both limits."""
    name = arguments[0]
    database = server.fresh_database()
    url = server.url(database)
    started = time.perf_counter()
    summary = loaded(load_process(url, *arguments, home=folder))
    seconds = time.perf_counter() - started
    columns = export(url, folder)
    bare = copy_back(bare_tables(url, server), folder, columns)
    server.drop_database(database)
    same = copy_back(server.url(server.fresh_database()), folder, columns)
    rows = summary["totalRows"]
    note = f"{rows:,} rows in {seconds:.0f} s, {summary['peakMemoryMiB']} MiB"
    figures = {
        "rows": rows,
        "seconds": round(seconds, 2),
        "writeSeconds": summary["writeSeconds"],
        "peakMemoryMiB": summary["peakMemoryMiB"],
    }
    record(
        "load",
        f"{name}, against COPY into bare tables",
        ours=rows / seconds,
        limit=rows / bare,
        unit="rows/s",
        note=note,
        **figures,
    )
    record(
        "load",
        f"{name}, against COPY under the same constraints",
        ours=rows / seconds,
        limit=rows / same,
        unit="rows/s",
        note=note,
        **figures,
    )


@program("python -m tests.benchmarks.load")
def main(
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[marketplace] [online-retail PATH]", help="The sets to load.")
    ] = None,
) -> int:
    """Measure the load of each set; without arguments, of the marketplace."""
    configure("warning")
    wanted = wanted or ["marketplace"]
    sets: list[tuple[str, ...]] = [("marketplace",)] if "marketplace" in wanted else []
    if "online-retail" in wanted:
        sets.append(("online-retail", wanted[wanted.index("online-retail") + 1]))
    with tempfile.TemporaryDirectory() as scratch, running_postgres(Path(scratch) / "postgres", fsync=True) as server:
        for arguments in sets:
            folder = Path(scratch) / arguments[0]
            folder.mkdir()
            measure(server, folder, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
