"""The rows that changed in the sources since the state's position, and the small SQL statements that the engine is made
of.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from transforms.derived import co_purchase_sql
from transforms.errors import StateUnusable
from transforms.incremental.plan import Node, Plan, quoted
from warehouse.lake.objects import reach
from warehouse.lake.read import TableFiles, Watermark, changes_sql, log_since, quote, state_sql, table_files
from warehouse.lake.watermark import TableVersion


@dataclass(frozen=True)
class Delta:
    """The rows that a table lost and got.

    `table`: a relation of its columns and `_n`, how many more of each row it has. `rows`: their number; `lost`: that of
    the rows before.
    """

    table: str
    rows: int
    lost: int

    def gone(self, columns: str = "*") -> str:
        """A SELECT of the rows before."""
        return f"SELECT {columns} FROM {self.table} WHERE _n < 0"

    def come(self, columns: str = "*") -> str:
        """A SELECT of the rows after."""
        return f"SELECT {columns} FROM {self.table} WHERE _n > 0"


NO_DELTA = Delta("", 0, 0)


def got(relation: str, rows: int) -> Delta:
    """The change of a table that had no row of the keys before: all rows of the relation are new."""
    return Delta(f"(SELECT *, 1 AS _n FROM {relation})", rows, 0)


@dataclass(frozen=True)
class Span:
    """The part of the lake's log that a refresh reads: after `lsn` up to the watermark.

    `versions`: table -> `log_position` at `lsn`.
    """

    lake_uri: str
    lsn: int
    versions: Mapping[str, str]
    watermark: Watermark


def changed_sources(
    con: duckdb.DuckDBPyConnection, plan: Plan, lake_uri: str, watermark: Watermark, built_at: datetime
) -> Iterator[tuple[Node, Delta]]:
    """Bring each source table to the watermark; yields those that changed, with their rows."""
    row = con.execute("SELECT lsn, versions FROM build.watermark, refresh.position").fetchone()
    if row is None:
        raise StateUnusable("the state file has no position: a full build makes it anew")
    reach(con, lake_uri)
    span = Span(lake_uri, int(row[0]), json.loads(row[1]), watermark)
    for number, source in enumerate(plan.sources):
        name = f"s{number}"
        schema = source.schema
        if schema == "lake":
            delta = _lake_delta(con, source, span, name)
        elif schema == "derived":
            delta = _derived_delta(con, source, lake_uri, name)
        elif source.name == "watermark":
            delta = _watermark_delta(con, source, watermark, built_at, name)
        else:
            continue
        if delta is not None and delta.rows:
            yield source, delta


def log_position(version: TableVersion) -> str:
    """Equal texts mean equal rows: the version of the change log, and the newest LSN with a row, in the hot log too."""
    return f"{version.changes}:{version.changed_lsn}"


def _lake_delta(con: duckdb.DuckDBPyConnection, source: Node, span: Span, name: str) -> Delta | None:
    version = span.watermark.versions.get(source.name)
    if version is None:
        raise StateUnusable(f"table {source.name} is not in the lake at {span.watermark.lsn_text}")
    if log_position(version) == span.versions.get(source.name):
        return None
    files = _with_hot(con, table_files(span.lake_uri, source.name, version, span.watermark.lsn, span.lsn), name)
    log = log_since(span.lake_uri, source.name, version, files, span.lsn)
    found = create(con, f"{name}_log", f"SELECT * FROM ({changes_sql(log)}) WHERE _commit_lsn > {span.lsn}")
    if not found:
        return None
    keys, last = quoted(files.key), f"{name}_log"
    resets, distinct = con.execute(
        f"SELECT count(*) FILTER (_op = 't'), count(DISTINCT ({keys})) FROM {name}_log"
    ).fetchone() or (0, 0)
    if resets:
        files = _with_hot(con, table_files(span.lake_uri, source.name, version, span.watermark.lsn), name)
        return _replaced(con, source, state_sql(files), name)
    if distinct < found:
        last = f"{name}_last"
        window = f"(PARTITION BY {keys} ORDER BY _commit_lsn DESC, _ordinal DESC)"
        create(con, last, f"SELECT * FROM {name}_log QUALIFY row_number() OVER {window} = 1")
    after = f"SELECT {source.listed} FROM {last} WHERE _op <> 'd'"
    if not count(con, f"{source.relation} SEMI JOIN {last} USING ({keys})"):
        rows = create(con, f"{name}_delta", after)
        con.execute(f"INSERT INTO {source.relation} SELECT * FROM {name}_delta")
        return got(f"{name}_delta", rows)
    before = f"SELECT {source.listed} FROM {source.relation} SEMI JOIN {last} USING ({keys})"
    delta = difference(con, before, after, name)
    if delta.rows:
        delete(con, source.relation, last, files.key)
        con.execute(f"INSERT INTO {source.relation} {after}")
    return delta


def _with_hot(con: duckdb.DuckDBPyConnection, files: TableFiles, name: str) -> TableFiles:
    """The same, its rows of the hot log readable by SQL."""
    if files.hot is None:
        return files
    con.register(f"{name}_hot", files.hot.combine_chunks())
    return replace(files, hot_name=f"{name}_hot")


def _replaced(con: duckdb.DuckDBPyConnection, source: Node, query: str, name: str) -> Delta:
    """Put all rows of a query in the place of the table's."""
    create(con, f"{name}_all", f"SELECT {source.listed} FROM ({query})")
    delta = difference(con, f"SELECT {source.listed} FROM {source.relation}", f"FROM {name}_all", name)
    if delta.rows:
        con.execute(f"DELETE FROM {source.relation}")
        con.execute(f"INSERT INTO {source.relation} SELECT * FROM {name}_all")
    return delta


def _derived_delta(con: duckdb.DuckDBPyConnection, source: Node, lake_uri: str, name: str) -> Delta:
    """The pairs change as a whole, when the jobs have run."""
    newest = co_purchase_sql(lake_uri)
    now, before = (
        con.execute(f"SELECT max(watermark_lsn), count(*) FROM {relation}").fetchone()
        for relation in (f"({newest})", source.relation)
    )
    return NO_DELTA if now == before else _replaced(con, source, newest, name)


def _watermark_delta(
    con: duckdb.DuckDBPyConnection, source: Node, watermark: Watermark, built_at: datetime, name: str
) -> Delta:
    create(con, f"{name}_old", f"SELECT {source.listed} FROM {source.relation}")
    con.execute(
        f"UPDATE {source.relation} SET lsn = ?, lsn_text = ?, as_of = ?, built_at = ?",
        [watermark.lsn, watermark.lsn_text, watermark.commit_ts, built_at],
    )
    return difference(con, f"FROM {name}_old", f"SELECT {source.listed} FROM {source.relation}", name)


def difference(con: duckdb.DuckDBPyConnection, before: str, after: str, name: str) -> Delta:
    """What a table lost and got, by SELECTs of its rows before and after; equal rows count as often as they occur."""
    rows = create(
        con,
        f"{name}_delta",
        "SELECT * REPLACE (sum(_n) AS _n) FROM"
        f" (SELECT *, -1 AS _n FROM ({before}) UNION ALL SELECT *, 1 AS _n FROM ({after}))"
        " GROUP BY ALL HAVING sum(_n) <> 0",
    )
    return Delta(f"{name}_delta", rows, count(con, f"{name}_delta WHERE _n < 0") if rows else 0)


def create(con: duckdb.DuckDBPyConnection, name: str, query: str) -> int:
    """A temporary table of a query's rows; returns their number."""
    row = con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}").fetchone()
    return int(row[0]) if row else 0


def count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """The number of rows of a relation."""
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(row[0]) if row else 0


def delete(
    con: duckdb.DuckDBPyConnection, relation: str, keys: str, columns: Sequence[str], *, since: str = ""
) -> None:
    """Delete the rows whose key is in `keys`, those alone whose column `since` is not before the key's `_since`."""
    same = " AND ".join(f"row_.{quote(column)} = key_.{quote(column)}" for column in columns)
    if since:
        same += f" AND row_.{quote(since)} >= key_._since"
    con.execute(f"DELETE FROM {relation} AS row_ USING {keys} AS key_ WHERE {same}")
