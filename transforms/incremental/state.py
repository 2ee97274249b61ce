"""The state file: the sources and models behind the marts as the last build or refresh left them, and their position.

One process writes at a time, under a lock; every change is one transaction. A full build makes the file anew and
renames it into place, so a reader of the marts never depends on it.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from transforms.errors import StateUnusable
from transforms.incremental.changes import log_position
from transforms.incremental.plan import MARTS, Manifest, Plan, make_plan, quoted, store_plan
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.lake.read import Watermark, quote

CATALOG = "souk"
"""The name that compiled SQL has for the file; DuckDB takes it from the file's name."""
FORMAT = 2
"""Counts up when a state file of before cannot be refreshed by this code."""


@contextmanager
def locked(settings: TransformSettings) -> Iterator[Path]:
    """The state file's path, for the one process that may open or replace it now. The lock ends with the process."""
    settings.state_path.parent.mkdir(parents=True, exist_ok=True)
    with settings.state_path.with_name(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield settings.state_path


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
    store_plan(con, plan)
    for mart in plan.marts:
        columns = quoted(mart.key)
        if mart.key:
            con.execute(f'CREATE TABLE refresh."{mart.name}" AS SELECT {columns} FROM main."{mart.name}" LIMIT 0')
    con.execute("CREATE TABLE refresh.base (mart VARCHAR, path VARCHAR, rows BIGINT)")
    con.execute("CREATE TABLE refresh.published (identity VARCHAR)")
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


def _drop_others(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Remove what neither a refresh nor a mart reads: features, their intermediates, other tables of the lake."""
    kept = {node.relation for node in (*plan.sources, *plan.models)}
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
    if not path.exists():
        raise StateUnusable(f"there is no state at {path}: nothing was built yet")
    try:
        con = connect(path, threads=1)  # the statements are many and small
        row = con.execute("SELECT lsn, project, source FROM build.watermark, refresh.position").fetchone()
    except duckdb.Error as error:
        raise StateUnusable(f"the state at {path} cannot be read: {error}") from error
    with con:
        if row is None:
            raise StateUnusable(f"the state at {path} has no position")
        lsn, project, source = row
        if project != project_hash(settings):
            raise StateUnusable("the models or the contract have changed since the last full build")
        if source != source_of(watermark) or lsn > watermark.lsn:
            raise StateUnusable("the lake was made anew since the last full build")
        yield con


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
