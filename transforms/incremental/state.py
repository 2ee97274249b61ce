"""The state file: the sources and models behind the marts as the last build or refresh left them, and their position.

One process writes at a time, under a lock; every change is one transaction. A full build makes the file anew and
renames it into place, so a reader of the marts never depends on it.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb

from transforms.errors import ModelsChanged, StateUnusable
from transforms.incremental.changes import log_position
from transforms.incremental.plan import MARTS, Manifest, Plan, load_plan, looked_up, make_plan, quoted, store_plan
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.contract import load_contract
from warehouse.lake.read import Watermark, quote

CATALOG = "souk"
"""The name that compiled SQL has for the file; DuckDB takes it from the file's name."""
FORMAT = 6
"""Counts up when a state file of before cannot be refreshed by this code."""
# The state's own log is written into its tables when it is longer than this, and when the file is closed.
_LOG_SIZE = "64MB"
# Indexed are tables of at least so many rows, by columns with at most so many rows per value.
_INDEX_ROWS, _ROWS_PER_VALUE = 50_000, 16


@contextmanager
def locked(settings: TransformSettings) -> Iterator[Path]:
    """The state file's path, for the one process that may open or replace it now.

    A process that keeps the file open (`KeptState`) lets go of it soon. The locks end with the process.
    """
    with _file(wanted_path(settings)) as wanted, _file(settings.state_path.with_name(".lock")) as lock:
        fcntl.flock(wanted, fcntl.LOCK_EX)
        os.pwrite(wanted.fileno(), b".", 0)  # wakes the process that waits for changes of this file
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield settings.state_path


def wanted_path(settings: TransformSettings) -> Path:
    """The file that a process locks and then writes when it wants the state."""
    return settings.state_path.with_name(".wanted")


def _file(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "rb+")


def keep(con: duckdb.DuckDBPyConnection, settings: TransformSettings, manifest: Manifest, watermark: Watermark) -> Plan:
    """Make the state of a finished build out of its private file, which `con` has open.

    Sources become tables, which refreshes change; what no mart needs goes.
    """
    plan = make_plan(con, manifest)
    for source in plan.sources:
        con.execute(f"CREATE TABLE main.source_copy AS SELECT {source.listed} FROM {source.relation}")
        kind = "TABLE" if source.schema == "build" else "VIEW"
        con.execute(f"DROP {kind} {source.relation}")
        con.execute(f"CREATE TABLE {source.relation} AS SELECT * FROM main.source_copy")
        con.execute("DROP TABLE main.source_copy")
    _drop_others(con, plan)
    _index(con, plan, settings)
    store_plan(con, plan)
    for mart in plan.marts:
        if mart.key:
            columns = f"SELECT {quoted(mart.key)}, 0::BIGINT AS _number FROM main.{quote(mart.name)} LIMIT 0"
            con.execute(f"CREATE TABLE refresh.{quote(mart.name)} AS {columns}")
    for node in plan.handed_over:
        columns = f"SELECT {node.listed}, 0::BIGINT AS _n FROM {node.relation} LIMIT 0"
        con.execute(f"CREATE TABLE {node.waiting} AS {columns}")
    con.execute(
        "CREATE TABLE refresh.features AS SELECT lsn_text, as_of, lsn_text AS changed_text FROM build.watermark"
    )
    con.execute("CREATE TABLE refresh.changed (mart VARCHAR, number BIGINT)")
    con.execute(
        "CREATE TABLE refresh.state AS"
        " SELECT uuid()::VARCHAR AS id, 0::BIGINT AS number, 0::BIGINT AS since, NULL::VARCHAR AS needs_build"
    )
    con.execute("CREATE TABLE refresh.position (versions VARCHAR, project VARCHAR, source VARCHAR)")
    con.execute(
        "INSERT INTO refresh.position VALUES (?, ?, ?)",
        [
            json.dumps({name: log_position(version) for name, version in watermark.versions.items()}),
            project_hash(settings),
            source_of(watermark),
        ],
    )
    return plan


def _index(con: duckdb.DuckDBPyConnection, plan: Plan, settings: TransformSettings) -> None:
    """Index the columns of large tables that refreshes look rows up by, where a value has few rows.

    DuckDB then reads those rows only; the cost of a refresh does not grow with the table.
    """
    columns = looked_up(plan)
    keys = {table.name: table.primary_key for table in load_contract(settings.contract_path).tables}
    for source in plan.sources:
        if source.schema == "lake" and len(keys[source.name]) == 1:
            columns.setdefault(source.relation, set()).update(keys[source.name])
    for relation, names in columns.items():
        for column in sorted(names):
            row = con.execute(f"SELECT count(*), approx_count_distinct({quote(column)}) FROM {relation}").fetchone()
            rows, values = row or (0, 0)
            if rows >= _INDEX_ROWS and values * _ROWS_PER_VALUE >= rows:
                name = f"{relation.rpartition('.')[2].strip(chr(34))}__{column}"
                con.execute(f"CREATE INDEX {quote(name)} ON {relation} ({quote(column)})")


def _drop_others(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Remove what neither a refresh nor a mart reads: other tables of the lake."""
    kept = {node.relation for node in plan.nodes}
    found = con.execute(
        "SELECT 'VIEW', schema_name, view_name FROM duckdb_views() WHERE NOT internal"
        " UNION ALL SELECT 'TABLE', schema_name, table_name FROM duckdb_tables()"
    ).fetchall()
    for kind, schema, name in found:
        relation = ".".join(quote(part) for part in (CATALOG, schema, name))
        if schema != MARTS and relation not in kept:
            con.execute(f"DROP {kind} {relation}")


@contextmanager
def opened(path: Path, settings: TransformSettings, watermark: Watermark) -> Iterator[duckdb.DuckDBPyConnection]:
    """The state file, when it can be brought to the watermark by a refresh. Needs the lock.

    Raises StateUnusable: a full build is needed, and why.
    """
    with _connect(path, settings) as con:
        _check(con, path, watermark)
        yield con


def source_in(path: Path) -> str | None:
    """Which Postgres history a state file belongs to, also one of other models; None when it cannot be read."""
    try:
        with connect(path, read_only=True, threads=1) as con:
            row = con.execute("SELECT source FROM refresh.position").fetchone()
    except duckdb.Error:
        return None
    return str(row[0]) if row else None


def _connect(path: Path, settings: TransformSettings) -> duckdb.DuckDBPyConnection:
    if not path.exists():
        raise StateUnusable(f"there is no state at {path}: nothing was built yet")
    try:
        con = connect(path, threads=1)  # the statements are many and small
        row = con.execute("SELECT project FROM refresh.position").fetchone()
    except duckdb.Error as error:
        raise StateUnusable(f"the state at {path} cannot be read: {error}") from error
    if row is not None and row[0] != project_hash(settings):
        con.close()
        raise ModelsChanged("the models or the contract have changed since the last full build")
    return con


def _check(con: duckdb.DuckDBPyConnection, path: Path, watermark: Watermark) -> None:
    row = con.execute("SELECT lsn, source FROM build.watermark, refresh.position").fetchone()
    if row is None:
        raise StateUnusable(f"the state at {path} has no position")
    lsn, source = row
    if source != source_of(watermark) or lsn > watermark.lsn:
        raise StateUnusable("the lake was made anew since the last full build")


class KeptState:
    """The state file, open from one refresh to the next, so that its rows stay in memory and a commit writes its log
    only.

    Other processes get it through `locked`, once its owner has looked at `wanted` and closed it.
    """

    def __init__(self, settings: TransformSettings) -> None:
        self._settings, self._path = settings, settings.state_path
        self._lock: BinaryIO | None = None
        self._open: tuple[duckdb.DuckDBPyConnection, Plan] | None = None

    def at(self, watermark: Watermark) -> tuple[duckdb.DuckDBPyConnection, Plan]:
        """The open state file and its plan. Raises as `opened` does."""
        path = self._path
        if self._open is None:
            with _file(wanted_path(self._settings)) as wanted:
                fcntl.flock(wanted, fcntl.LOCK_EX)
                self._lock = _file(self._path.with_name(".lock"))
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                con = _connect(path, self._settings)
            except StateUnusable:
                self.close()
                raise
            con.execute(f"SET checkpoint_threshold = '{_LOG_SIZE}'")
            self._open = con, load_plan(con)
        _check(self._open[0], path, watermark)
        return self._open

    @property
    def is_open(self) -> bool:
        return self._open is not None

    def second(self) -> tuple[duckdb.DuckDBPyConnection, Plan] | None:
        """Another connection to the open file, for work while refreshes go on; to be closed before the state is."""
        if self._open is None:
            return None
        con = self._open[0].cursor()
        con.execute("SET TimeZone = 'UTC'")
        return con, self._open[1]

    def identity(self) -> int | None:
        """Another number: a build has put another file in its place; None without a file."""
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return None

    def wanted(self) -> bool:
        """Whether another process waits for the state."""
        with _file(wanted_path(self._settings)) as wanted:
            try:
                fcntl.flock(wanted, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def close(self) -> None:
        """Let other processes have the state."""
        if self._open is not None:
            self._open[0].close()
        if self._lock is not None:
            self._lock.close()
        self._open = self._lock = None


def source_of(watermark: Watermark) -> str:
    """Which Postgres history the watermark belongs to."""
    return f"{watermark.source.system_id}/{watermark.source.timeline}" if watermark.source else ""


def project_hash(settings: TransformSettings) -> str:
    """One text for the models, the contract and the layout of the state file."""
    digest = hashlib.sha256(str(FORMAT).encode())
    files = (path for suffix in ("sql", "yml") for path in settings.dbt_project.rglob(f"*.{suffix}"))
    for path in [*sorted(files), settings.contract_path]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
