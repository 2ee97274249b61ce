"""Publish a build or refresh: marts as one read-only DuckDB file over Parquet, features as one folder of Parquet.

Each appears by one rename.
"""

import json
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from transforms.incremental.plan import MARTS, Mart, Plan, quoted
from warehouse.files import move_into_place, replace_file, sync

FEATURES = "features"
BASE = "base"
_KEEP_SNAPSHOTS = 3
_KEEP_BASE_SECONDS = 3600.0
# Up to this many rows (some 60 MB) all marts are tables of the published file: half the time of a view for a reader.
_TABLE_ROWS = 600_000
# A mart without a key lies in the published file itself up to this size.
_INLINE_ROWS = 1_000
# The changed rows of a mart become a new base file when they are more than this, and more than this part of the base.
_OVERLAY_ROWS, _OVERLAY_SHARE = 20_000, 50
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def connect(path: Path, *, read_only: bool = False, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file in UTC, with automatic extension loading off."""
    config = _CONFIG | ({"threads": threads} if threads else {})
    con = duckdb.connect(str(path), read_only=read_only, config=config)
    con.execute("SET TimeZone = 'UTC'")
    return con


def publish_marts(state: duckdb.DuckDBPyConnection, plan: Plan, published: Path) -> None:
    """Publish the marts of the state file that `state` has open, by one rename.

    A reader that has the old file open continues to read it. Marts of a small shop are tables of the published file: a
    copy of the last one, with the changed keys replaced. Those of a large one are views over base files, Parquet that
    is written once, and the rows of the keys that changed since, which the file holds itself.
    """
    fresh = published.with_name(f".{published.name}.part")
    fresh.unlink(missing_ok=True)
    published.parent.mkdir(parents=True, exist_ok=True)
    if _fits_into_one_file(state, plan):
        _write_tables(state, plan, published, fresh)
        move_into_place(fresh, published)
        _forget_changes(state, plan, published)
        return
    folder = published.parent / BASE
    folder.mkdir(exist_ok=True)
    overlays = {mart.name: _overlay(state, mart, folder) for mart in plan.marts}
    with connect(fresh, threads=1) as con:
        con.execute("CREATE SCHEMA changed")
        for mart in plan.marts:
            _publish_mart(con, mart, overlays[mart.name])
        con.execute("CHECKPOINT")
    fresh.chmod(0o444)
    move_into_place(fresh, published)
    _clean_base(state, folder)


def _fits_into_one_file(state: duckdb.DuckDBPyConnection, plan: Plan) -> bool:
    """Whether the marts are few rows. Marts that are views already stay so until the next full build."""
    return not _count(state, "refresh.base") and sum(count_rows(state, plan).values()) <= _TABLE_ROWS


def _write_tables(state: duckdb.DuckDBPyConnection, plan: Plan, published: Path, fresh: Path) -> None:
    """The next published file: all tables anew when the present one is not the one that this state wrote last."""
    known = state.execute("SELECT identity FROM refresh.published").fetchone()
    again = known is not None and published.exists() and known[0] == _identity(published)
    if again:
        shutil.copyfile(published, fresh)
    with connect(fresh, threads=1) as con:
        for mart in plan.marts:
            if again:
                _replace_keys(state, con, plan, mart)
            else:
                _publish_mart(con, mart, _Overlay(None, None, _rows(state, f'{MARTS}."{mart.name}"')))
        con.execute("CHECKPOINT")
    fresh.chmod(0o444)


def _replace_keys(state: duckdb.DuckDBPyConnection, con: duckdb.DuckDBPyConnection, plan: Plan, mart: Mart) -> None:
    """Replace the rows of the keys that changed since the last publication; a mart without a key is replaced whole."""
    name, noted = f'main."{mart.name}"', f'refresh."{mart.name}"'
    if mart.key:
        keys = _rows(state, noted)
        if not keys.num_rows:
            return
        con.register("keys_of_mart", keys)
        same = " AND ".join(f'key."{column}" = row_."{column}"' for column in mart.key)
        con.execute(f"DELETE FROM {name} AS row_ USING keys_of_mart AS key WHERE {same}")
        con.register("rows_of_mart", _rows(state, f"{name} SEMI JOIN {noted} USING ({quoted(mart.key)})"))
    elif any(model.name == mart.name for model in plan.models):
        con.execute(f"DELETE FROM {name}")
        con.register("rows_of_mart", _rows(state, name))
    else:
        return
    con.execute(f"INSERT INTO {name} SELECT * FROM rows_of_mart")


def _forget_changes(state: duckdb.DuckDBPyConnection, plan: Plan, published: Path) -> None:
    """The published file holds every change now; killed before this, the next publication writes all tables anew."""
    for mart in plan.marts:
        if mart.key:
            state.execute(f'DELETE FROM refresh."{mart.name}"')
    state.execute("DELETE FROM refresh.published")
    state.execute("INSERT INTO refresh.published VALUES (?)", [_identity(published)])


def _identity(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_size}"


def _rows(con: duckdb.DuckDBPyConnection, source: str) -> pa.Table:
    return con.execute(f"SELECT * FROM {source}").to_arrow_table()


def count_rows(state: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Rows by mart."""
    return {mart.name: _count(state, f'{MARTS}."{mart.name}"') for mart in plan.marts}


@dataclass(frozen=True)
class _Overlay:
    """The parts of one mart: the base file (none: all rows are in `rows`), the changed keys and their rows."""

    base: Path | None
    keys: pa.Table | None = None
    rows: pa.Table | None = None


def _overlay(state: duckdb.DuckDBPyConnection, mart: Mart, folder: Path) -> _Overlay:
    """The mart's parts; writes a new base file when there is none or when much has changed since."""
    relation, noted = f'{MARTS}."{mart.name}"', f'refresh."{mart.name}"'
    if not mart.key and _count(state, relation) <= _INLINE_ROWS:
        return _Overlay(None, None, _rows(state, relation))
    found = state.execute("SELECT path, rows FROM refresh.base WHERE mart = ?", [mart.name]).fetchone()
    changed = f"{relation} SEMI JOIN {noted} USING ({quoted(mart.key)})"
    base = Path(found[0]) if found is not None else None
    much = found is not None and mart.key and _count(state, changed) > max(_OVERLAY_ROWS, found[1] // _OVERLAY_SHARE)
    if base is None or not base.exists() or much:
        base = _write_base(state, mart, folder)
    if not mart.key:
        return _Overlay(base)
    return _Overlay(base, _rows(state, noted), _rows(state, changed))


def _write_base(state: duckdb.DuckDBPyConnection, mart: Mart, folder: Path) -> Path:
    """All rows of the mart in a new Parquet file; the state notes it and forgets the changed keys."""
    path = folder / f"{mart.name}-{uuid4().hex}.parquet"
    partial = path.with_suffix(".part")
    order = f"ORDER BY {quoted(mart.key)}" if mart.key else ""
    written = state.execute(
        f'COPY (SELECT * FROM {MARTS}."{mart.name}" {order}) TO {_literal(str(partial))}'
        " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    ).fetchone()
    move_into_place(partial, path)
    state.execute("DELETE FROM refresh.base WHERE mart = ?", [mart.name])
    state.execute("INSERT INTO refresh.base VALUES (?, ?, ?)", [mart.name, str(path), written[0] if written else 0])
    if mart.key:
        state.execute(f'DELETE FROM refresh."{mart.name}"')
    return path


def _publish_mart(con: duckdb.DuckDBPyConnection, mart: Mart, parts: _Overlay) -> None:
    """The mart in the published file: a table when it has no base file, else a view over base and changed rows."""
    name, kind = f'main."{mart.name}"', "TABLE" if parts.base is None else "VIEW"
    if parts.rows is not None:
        con.register("rows_of_mart", parts.rows)
    if parts.base is None:
        con.execute(f"CREATE TABLE {name} AS SELECT * FROM rows_of_mart")
    else:
        base = f"SELECT * FROM read_parquet({_literal(str(parts.base))}) AS base"
        if parts.keys is not None:
            con.register("keys_of_mart", parts.keys)
            keys, rows = f'changed."{mart.name}__keys"', f'changed."{mart.name}"'
            con.execute(f"CREATE TABLE {keys} AS SELECT * FROM keys_of_mart")
            con.execute(f"CREATE TABLE {rows} AS SELECT * FROM rows_of_mart")
            same = " AND ".join(f'key."{column}" = base."{column}"' for column in mart.key)
            base += f" ANTI JOIN {keys} AS key ON {same} UNION ALL SELECT * FROM {rows}"
        con.execute(f"CREATE VIEW {name} AS {base}")
    comments = [f"COMMENT ON {kind} {name} IS {_literal(mart.description)}"]
    comments += [f'COMMENT ON COLUMN {name}."{column}" IS {_literal(text)}' for column, text in mart.comments.items()]
    con.execute(";".join(comments))


def _clean_base(state: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Remove base files that the state has not named for an hour; when each was named last is in `retired.json`."""
    named = {Path(path).name for (path,) in state.execute("SELECT path FROM refresh.base").fetchall()}
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


def publish_features(private: Path, folder: Path, lsn_text: str, built_at: datetime) -> dict[str, int]:
    """Export every feature table to Parquet and move `folder/current` to the new set; returns rows by table.

    `current` is a link, so the files of one set always belong to one watermark; `watermark.json` in the set names it.
    The two previous sets are kept for readers that have not finished.
    """
    snapshots = folder / "snapshots"
    name = f"{built_at:%Y%m%dT%H%M%S%f}-{lsn_text.replace('/', '-')}"
    unfinished = folder / f".{name}"
    unfinished.mkdir(parents=True)
    rows: dict[str, int] = {}
    with connect(private, read_only=True) as con:
        for table in _tables(con, private.stem, FEATURES):
            rows[table] = _export(con, table, unfinished / f"{table}.parquet")
        as_of = _one(con, "SELECT as_of FROM main.mart_watermark")
    if not isinstance(as_of, datetime):
        raise TypeError(f"mart_watermark.as_of is {as_of!r}, not a time")
    watermark = {"lsn": lsn_text, "asOf": as_of.isoformat(), "builtAt": built_at.isoformat(), "rows": rows}
    (unfinished / "watermark.json").write_text(json.dumps(watermark, indent=1), encoding="utf-8")
    for file in unfinished.iterdir():
        sync(file)
    snapshots.mkdir(exist_ok=True)
    move_into_place(unfinished, snapshots / name)
    link = folder / ".current"
    link.unlink(missing_ok=True)
    link.symlink_to(Path("snapshots") / name)
    move_into_place(link, folder / "current")
    for old in sorted(path for path in snapshots.iterdir() if path.is_dir())[:-_KEEP_SNAPSHOTS]:
        shutil.rmtree(old)
    return rows


def clean_features(folder: Path) -> None:
    """Remove the incomplete files of a killed build."""
    for path in folder.glob(".[0-9]*"):
        shutil.rmtree(path)


def _tables(con: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[str]:
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? ORDER BY table_name",
        [database, schema],
    ).fetchall()
    return [str(name) for (name,) in found]


def _export(con: duckdb.DuckDBPyConnection, table: str, path: Path) -> int:
    first = f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'"
    key = str(_one(con, f"{first} ORDER BY column_index LIMIT 1"))
    con.execute(
        f"COPY (SELECT * FROM {FEATURES}.{table} ORDER BY {key}, event_timestamp) TO {_literal(str(path))}"
        " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100000)"
    )
    return _count(con, f"{FEATURES}.{table}")


def published_bytes(published: Path) -> int:
    """The size of the published file and of the base files it names or named."""
    return sum(path.stat().st_size for path in (published, *(published.parent / BASE).glob("*.parquet")))


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(str(_one(con, f"SELECT count(*) FROM {table}")))


def _one(con: duckdb.DuckDBPyConnection, query: str) -> object:
    row = con.execute(query).fetchone()
    return row[0] if row else None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
