"""Publish the marts of the state: one read-only DuckDB file, which appears by one rename.

The next file is a copy of the last one in which the keys that changed since are replaced. It says itself which state it
is of and how far it is, so a publication that was killed is made up for by the next.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb

from transforms.incremental.plan import MARTS, Mart, Plan, quoted
from warehouse.files import move_into_place, replace_file
from warehouse.lake.read import literal

BASE = "base"
_KEEP_BASE_SECONDS = 3600.0
# Up to this many rows (some 60 MB) all marts are tables of the published file: half the time of a view for a reader.
_TABLE_ROWS = 600_000
# In a larger shop, marts of more rows than this are views over a base file and the rows that changed since.
_VIEW_ROWS = 100_000
# The changed rows of a mart become a new base file when they are more than this, and more than this part of the base.
_OVERLAY_ROWS, _OVERLAY_SHARE = 20_000, 50
# The oldest DuckDB that opens the file. A checkpoint of an earlier layout takes three times as long.
_STORAGE = "v1.4.0"
# Catalogs of the one connection: the state, and the file that is being written.
_STATE, _FILE = "souk", "published"


def publish_marts(state: duckdb.DuckDBPyConnection, plan: Plan, published: Path) -> None:
    """Publish the marts of the state file that `state` has open, by one rename.

    A reader that has the old file open continues to read it. Marts of a small shop are tables of the file. Large ones
    are views over base files, Parquet that is written once, and the rows of the keys that changed since, which the
    file holds itself.
    """
    fresh, folder = published.with_name(f".{published.name}.part"), published.parent / BASE
    published.parent.mkdir(parents=True, exist_ok=True)
    fresh.with_name(f"{fresh.name}.wal").unlink(missing_ok=True)  # of a publication that was killed
    bases = _change_copy(state, plan, published, fresh)
    if bases is None:
        fresh.unlink(missing_ok=True)
        _attach(state, fresh)
        with _using(state), _transaction(state):
            bases = _create(state, plan, folder)
    fresh.chmod(0o444)
    move_into_place(fresh, published)
    if folder.exists():
        _clean_base(folder, bases)


def _attach(state: duckdb.DuckDBPyConnection, fresh: Path) -> None:
    state.execute(f"ATTACH {literal(str(fresh))} AS {_FILE} (STORAGE_VERSION '{_STORAGE}')")


@contextmanager
def _using(state: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Names without a catalog are the attached file's, as in its views; then it is detached."""
    state.execute(f"USE {_FILE}")
    try:
        yield
    finally:
        state.execute(f"USE {_STATE}")
        state.execute(f"DETACH {_FILE}")


@contextmanager
def _transaction(state: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction, and then all of it in the file itself."""
    state.execute("BEGIN")
    try:
        yield
    except BaseException:
        state.execute("ROLLBACK")
        raise
    state.execute("COMMIT")
    state.execute(f"CHECKPOINT {_FILE}")


def _change_copy(state: duckdb.DuckDBPyConnection, plan: Plan, published: Path, fresh: Path) -> set[str] | None:
    """Make the next file out of the present one; returns the base files it names.

    None when that is not a file of this state, or one that is too old.
    """
    if not published.exists():
        return None
    fresh.unlink(missing_ok=True)
    shutil.copyfile(published, fresh)
    try:
        _attach(state, fresh)
    except duckdb.Error:  # damaged: it is made anew
        return None
    with _using(state):
        number = _number(state)
        if number is None:
            return None
        with _transaction(state):
            found = state.execute("SELECT mart, rows FROM changed.base").fetchall()
            rows = {str(mart): int(count) for mart, count in found}
            changed = state.execute(
                f"SELECT DISTINCT mart FROM {_STATE}.refresh.changed WHERE number > {number}"
            ).fetchall()
            for mart in plan.marts:
                if (mart.name,) in changed:
                    _change(state, mart, number, rows.get(mart.name), published.parent / BASE)
            state.execute(f"UPDATE changed.state SET number = (SELECT number FROM {_STATE}.refresh.state)")
            return _base_files(state)


def _number(state: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the state's refresh that the file holds."""
    known = state.execute(
        f"SELECT count(*) FROM duckdb_tables() WHERE database_name = '{_FILE}' AND schema_name = 'changed'"
        " AND table_name IN ('state', 'base')"
    ).fetchone()
    if known != (2,):  # the marts of an earlier release
        return None
    row = state.execute(
        f"SELECT file.number FROM changed.state AS file JOIN {_STATE}.refresh.state AS own USING (id)"
        " WHERE file.number >= own.since"
    ).fetchone()
    return int(row[0]) if row else None


def _change(state: duckdb.DuckDBPyConnection, mart: Mart, number: int, base_rows: int | None, folder: Path) -> None:
    """Replace the rows of the keys that changed since refresh `number`; a mart without a key is replaced whole."""
    ours = f'{_STATE}.{MARTS}."{mart.name}"'
    if not mart.key:
        if base_rows is None:
            state.execute(f'DELETE FROM {MARTS}."{mart.name}"')
            state.execute(f'INSERT INTO {MARTS}."{mart.name}" SELECT * FROM {ours}')
        else:
            _create_view(state, mart, folder)
        return
    keys = f'(SELECT {quoted(mart.key)} FROM {_STATE}.refresh."{mart.name}" WHERE _number > {number})'
    rows = f'{MARTS if base_rows is None else "changed"}."{mart.name}"'
    same = " AND ".join(f'key_."{column}" = row_."{column}"' for column in mart.key)
    state.execute(f"DELETE FROM {rows} AS row_ USING {keys} AS key_ WHERE {same}")
    state.execute(f"INSERT INTO {rows} SELECT * FROM {ours} SEMI JOIN {keys} USING ({quoted(mart.key)})")
    if base_rows is not None:
        state.execute(f'INSERT INTO changed."{mart.name}__keys" {keys} EXCEPT FROM changed."{mart.name}__keys"')
        if _count(state, rows) > max(_OVERLAY_ROWS, base_rows // _OVERLAY_SHARE):
            _create_view(state, mart, folder)


def _create(state: duckdb.DuckDBPyConnection, plan: Plan, folder: Path) -> set[str]:
    """All marts in a new file; returns the base files it names."""
    state.execute("CREATE SCHEMA changed")
    own = f"{_STATE}.refresh.state, {_STATE}.refresh.position"
    state.execute(f"CREATE TABLE changed.state AS SELECT id, number, source FROM {own}")
    state.execute("CREATE TABLE changed.base (mart VARCHAR, path VARCHAR, rows BIGINT)")
    rows = count_rows(state, plan)
    large = sum(rows.values()) > _TABLE_ROWS
    for mart in plan.marts:
        if large and rows[mart.name] > _VIEW_ROWS:
            _create_view(state, mart, folder)
        else:
            state.execute(f'CREATE TABLE {MARTS}."{mart.name}" AS SELECT * FROM {_STATE}.{MARTS}."{mart.name}"')
            _comment(state, mart, "TABLE")
    return _base_files(state)


def _create_view(state: duckdb.DuckDBPyConnection, mart: Mart, folder: Path) -> None:
    """The mart as a view over a new base file and, when it has a key, the rows that change from now on."""
    base, written = _write_base(state, mart, folder)
    query = f"SELECT * FROM read_parquet({literal(str(base))}) AS base"
    if mart.key:
        ours, rows, keys = f'{_STATE}.{MARTS}."{mart.name}"', f'changed."{mart.name}"', f'changed."{mart.name}__keys"'
        state.execute(f"CREATE OR REPLACE TABLE {rows} AS SELECT * FROM {ours} LIMIT 0")
        state.execute(f"CREATE OR REPLACE TABLE {keys} AS SELECT {quoted(mart.key)} FROM {ours} LIMIT 0")
        same = " AND ".join(f'key."{column}" = base."{column}"' for column in mart.key)
        query += f" ANTI JOIN {keys} AS key ON {same} UNION ALL SELECT * FROM {rows}"
    state.execute(f'CREATE OR REPLACE VIEW {MARTS}."{mart.name}" AS {query}')
    _comment(state, mart, "VIEW")
    state.execute("DELETE FROM changed.base WHERE mart = ?", [mart.name])
    state.execute("INSERT INTO changed.base VALUES (?, ?, ?)", [mart.name, str(base), written])


def _write_base(state: duckdb.DuckDBPyConnection, mart: Mart, folder: Path) -> tuple[Path, int]:
    """All rows of the mart in a new Parquet file, in order of its key."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{mart.name}-{uuid4().hex}.parquet"
    partial = path.with_suffix(".part")
    order = f"ORDER BY {quoted(mart.key)}" if mart.key else ""
    written = state.execute(
        f'COPY (SELECT * FROM {_STATE}.{MARTS}."{mart.name}" {order}) TO {literal(str(partial))}'
        " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    ).fetchone()
    move_into_place(partial, path)
    return path, int(written[0]) if written else 0


def _comment(state: duckdb.DuckDBPyConnection, mart: Mart, kind: str) -> None:
    name = f'{MARTS}."{mart.name}"'
    comments = [f"COMMENT ON {kind} {name} IS {literal(mart.description)}"]
    comments += [f'COMMENT ON COLUMN {name}."{column}" IS {literal(text)}' for column, text in mart.comments.items()]
    state.execute(";".join(comments))


def _base_files(state: duckdb.DuckDBPyConnection) -> set[str]:
    return {Path(path).name for (path,) in state.execute("SELECT path FROM changed.base").fetchall()}


def _clean_base(folder: Path, named: set[str]) -> None:
    """Remove base files that no published file has named for an hour; when each was named last is in `retired.json`."""
    record = folder / "retired.json"
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        before = {}
    now, retired = time.time(), {}
    for path in folder.glob("*.parquet"):
        if path.name in named:
            continue
        since = float(before.get(path.name, now))
        if now - since > _KEEP_BASE_SECONDS:
            path.unlink()
        else:
            retired[path.name] = since
    if retired != before:
        replace_file(record, json.dumps(retired), durable=False)


def count_rows(state: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Rows by mart of the state."""
    return {mart.name: _count(state, f'{_STATE}.{MARTS}."{mart.name}"') for mart in plan.marts}


def published_bytes(published: Path) -> int:
    """The size of the published file and of the base files it names or named."""
    return sum(path.stat().st_size for path in (published, *(published.parent / BASE).glob("*.parquet")))


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0
