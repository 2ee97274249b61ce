"""Readers of the lake without any code of ours: the programs of docs/lake.md, run exactly as they stand there, and a
lake whose two states are known from Postgres.
"""

import ast
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from tests.harness.processes import ROOT
from warehouse.contract import Table
from warehouse.lake.read import read_changes

_BLOCK = re.compile(r"^## (?P<title>[^\n]+)\n(?:(?!^## ).)*?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = frozenset({"api", "features", "orchestration", "serving", "tests", "training", "transforms", "warehouse"})
LAKE = ".souk/lake"
Rows = list[tuple[object, ...]]
FIRST = (
    (
        "insert into things select gen_random_uuid(), 'thing ' || n, n, n * 10000000000, n % 2 = 0, n * 1.25, n / 7.0,"
        " now() - n * interval '1 hour', current_date - n, jsonb_build_object('n', n), repeat('text ', n)"
        " from generate_series(1, 300) n"
    ),
    "insert into things (thing_id, name) values (gen_random_uuid(), U&'line\\2028feed, \\0009 \"quoted\" \\+01F381')",
    "insert into pairs select gen_random_uuid(), n, 'note ' || n, n * 0.0001 from generate_series(1, 50) n",
    "insert into lines (thing_id, quantity) select thing_id, 1 from things limit 40",
)
SECOND = (
    "update things set qty = -1, body = 'changed' where qty % 3 = 0",
    "delete from things where qty between 1 and 20",
    "update pairs set b = b + 1000 where b % 5 = 0",
    "truncate lines; insert into lines (thing_id, quantity) select thing_id, 2 from things limit 7",
)


@dataclass
class History:
    """A lake with two states of every table, each with the end of its last transaction and a time just after it."""

    lab: CdcLab
    rows: list[dict[str, Rows]]
    ends: list[int]
    times: list[datetime]


@contextmanager
def two_states(server: PostgresHarness, folder: Path, lake: str | None = None) -> Iterator[History]:
    """A source database and its lake, with `.souk` in the folder as the programs of docs/lake.md expect it.

    `lake`: where it lies instead, a URI.
    """
    lab = CdcLab(server, folder)
    lab.lake = lake or lab.lake
    (folder / ".souk").symlink_to(lab.home)
    try:
        lab.start_thread(SOUK_CDC_FOLD_SECONDS="0.2", SOUK_LAKE_URI=lab.lake)
        lab.wait_watermark()
        found = History(lab, [], [], [])
        for statements in (FIRST, SECOND):
            for statement in statements:
                lab.execute(statement)
            found.rows.append({table.name: in_postgres(lab, table) for table in lab.contract.tables})
            with psycopg.connect(lab.url) as connection:
                moment = connection.execute("select clock_timestamp(), pg_current_wal_flush_lsn() - '0/0'").fetchone()
            assert moment is not None
            found.times.append(moment[0].astimezone(UTC))
            found.ends.append(wait_delta(lab, int(moment[1])))
        yield found
    finally:
        lab.close()


def in_postgres(lab: CdcLab, table: Table) -> Rows:
    """The published columns of every row, UUIDs and JSON as text."""
    as_text = {"uuid", "jsonb"}
    columns = ", ".join(f"{c.name}::text" if c.type in as_text else c.name for c in table.columns)
    with psycopg.connect(lab.url, options="-c TimeZone=UTC") as connection:
        return in_order(connection.execute(f"select {columns} from {table.name}".encode()).fetchall())


def in_order(rows: list[tuple[Any, ...]]) -> Rows:  # Any: values of a database row
    return sorted(rows, key=lambda row: [str(value) for value in row])


def wait_delta(lab: CdcLab, position: int) -> int:
    """Wait until a Delta watermark holds every transaction that ended at or before the position; the last one's end."""
    deadline = time.monotonic() + 30
    lab.execute("select pg_logical_emit_message(true, 'test', '')")
    while lab.watermark().lsn < position:
        assert time.monotonic() < deadline, lab.tail()
        time.sleep(0.05)
    mark = lab.watermark()
    logs = [read_changes(lab.lake, name, mark)["_commit_lsn"].to_pylist() for name in mark.versions]
    end = max(lsn for log in logs for lsn in log if lsn <= position)
    while max(DeltaTable(f"{lab.lake}/_watermarks").to_pyarrow_table(columns=["lsn"])["lsn"].to_pylist()) < end:
        assert time.monotonic() < deadline, lab.tail()
        time.sleep(0.05)
    return int(end)


def run_program(
    title: str, folder: Path, monkeypatch: pytest.MonkeyPatch, lake: str = LAKE
) -> dict[str, Any]:  # Any: its names
    """Run a program of the page in the folder above `.souk`, or on another lake; returns the names that it defines."""
    code = programs()[title]
    assert f'lake = "{LAKE}"\n' in code
    code = code.replace(f'lake = "{LAKE}"\n', f'lake = "{lake}"\n')
    assert imported(code) & OURS == set()
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}  # Any: as above
    exec(compile(code, f"docs/lake.md, {title}", "exec"), names)  # noqa: S102 - a program of our own documentation
    return names


def assert_equals_postgres(names: dict[str, Any], history: History, tuples: Callable[[Any], Rows]) -> None:
    """Both states of every table, each at a watermark that holds it."""
    for end, rows in zip(history.ends, history.rows, strict=True):
        mark = names["watermark"]() if end == history.ends[-1] else first_from(history.lab.lake, end, names)
        assert mark["lsn"] >= end
        for table in history.lab.contract.tables:
            assert tuples(names["state"](table.name, mark).select(list(table.names))) == rows[table.name], table.name


def first_from(lake: str, end: int, names: dict[str, Any]) -> dict[str, Any]:  # Any: as above
    """The first watermark in Delta at or after `end`, as the program finds it."""
    positions = DeltaTable(f"{lake}/_watermarks").to_pyarrow_table(columns=["lsn"])["lsn"].to_pylist()
    mark: dict[str, Any] = names["watermark"](min(lsn for lsn in positions if lsn >= end))  # Any: a row
    return mark


def rows_of_arrow(table: pa.Table) -> Rows:
    return in_order([tuple(row.values()) for row in table.to_pylist()])


def programs(page: Path = ROOT / "docs" / "lake.md") -> dict[str, str]:
    """The first Python block of every section of the page, by the section's title."""
    return {found["title"]: found["code"] for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))}


def imported(code: str) -> set[str]:
    """The top-level packages that the program imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}
