"""Refreshes of the published marts, and the full build that replaces the state they go on from."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from transforms.errors import ModelsChanged, RefreshFailed, StateUnusable
from transforms.incremental.corrections import (
    CORRECTED,
    KNOWN,
    PREVIOUS,
    REDEFINED,
    WITH_NEW,
    attached,
    note_build,
    open_day,
)
from transforms.incremental.engine import WATERMARK, Refreshed, refresh_state, replace_corrections
from transforms.incremental.features import advance_features, features_watermark
from transforms.incremental.plan import MARTS, Manifest, Plan, load_plan
from transforms.incremental.state import KeptState, keep, locked, opened, source_in, source_of
from transforms.lake import newest_watermark
from transforms.publish import connect, publish_features
from transforms.publish_marts import count_rows, publish_marts
from transforms.settings import TransformSettings
from warehouse.lake.lsn import format_lsn, parse_lsn
from warehouse.lake.read import LakeStateError, Watermark, latest_watermark, watermark_at


@dataclass(frozen=True)
class RefreshResult:
    """`published`: whether the marts were published anew. `rows`: rows that went or came, by table that changed.

    `needs_build`: why a full build is wanted although refreshes go on.
    """

    lsn: int
    lsn_text: str
    as_of: datetime
    published: bool
    rows: dict[str, int]
    seconds: float
    needs_build: str | None = None


def refresh(settings: TransformSettings, *, always: bool = True, kept: KeptState | None = None) -> RefreshResult:
    """Bring the published marts to the newest watermark by the keys that changed.

    Without `always` a watermark that changes no row of the marts is left for later. `kept` stays open for the next
    refresh. Raises LakeNotReady, StateUnusable when only a full build helps, RefreshFailed when a data test fails on a
    changed row; the marts then stay.
    """
    began = time.perf_counter()
    watermark = newest_watermark(settings.lake_uri)
    state = kept or KeptState(settings)
    try:
        con, plan = state.at(watermark)
        done = advance(con, plan, settings, watermark, keep_idle=always)
        published = done is not None or published_watermark(settings.marts_path) != format_lsn(_lsn(con))
        if published:
            publish_marts(con, plan, settings.marts_path)
        (needs_build,) = con.execute("SELECT needs_build FROM refresh.state").fetchone() or (None,)
    finally:
        if kept is None:
            state.close()
    rows = {name: count for name, count in done.rows.items() if count} if done else {}
    seconds = round(time.perf_counter() - began, 3)
    return RefreshResult(watermark.lsn, watermark.lsn_text, watermark.commit_ts, published, rows, seconds, needs_build)


def advance(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    settings: TransformSettings,
    watermark: Watermark,
    *,
    keep_idle: bool = True,
    published: bool = True,
) -> Refreshed | None:
    """Bring the open state file to the watermark in one transaction; None when it stayed where it was.

    Without `keep_idle` it stays when no row has changed. `published`: as in `refresh_state`.
    """
    con.execute("BEGIN")
    try:
        done = refresh_state(con, plan, settings.lake_uri, watermark, datetime.now(UTC), published=published)
    except BaseException:
        con.execute("ROLLBACK")
        raise
    keeps = keep_idle or done.changes_marts(plan) or bool(done.reconsidered)
    con.execute("COMMIT" if keeps else "ROLLBACK")
    return done if keeps else None


@dataclass(frozen=True)
class Comparison:
    """The refreshed marts and features against those of a full build at the same watermark.

    `differing`: table -> rows that only one side holds. `skipped`: why there is no comparison; `failed`: the refresh up
    to this watermark failed.
    """

    differing: dict[str, int]
    skipped: str | None = None
    failed: bool = False


def replace_state(
    settings: TransformSettings, private: Path, manifest: Manifest, watermark: Watermark, built_at: datetime
) -> tuple[dict[str, int], dict[str, int], Comparison]:
    """Publish a finished build out of its private file, which becomes the state; returns rows by mart and by feature
    table.

    Refreshes go on while a build works. When they are further, the new state is brought to where they are, so that what
    is published never goes back.
    """
    with connect(private, lake=settings.lake_uri) as con:
        plan = keep(con, settings, manifest, watermark)
        con.execute("CHECKPOINT")
        with locked(settings) as path:
            comparison = _meet(con, plan, settings, path, watermark)
            features = publish_features(con, settings.features_folder, *features_watermark(con), built_at)
            publish_marts(con, plan, settings.marts_path)
            rows = count_rows(con, plan)
            con.close()
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
            private.replace(path)
    return rows, features, comparison


def _meet(
    con: duckdb.DuckDBPyConnection, plan: Plan, settings: TransformSettings, path: Path, watermark: Watermark
) -> Comparison:
    """Bring the new state to where the marts are, and the old one too, compare their marts, and restate closed days
    that differ from what was published.

    The first does not depend on the second: whatever is wrong with the old state, the marts never go back.
    """
    newest = latest_watermark(settings.lake_uri) or watermark
    old = _bring_old(settings, path, watermark, newest)
    failed: Comparison | None = None
    try:
        advance(con, plan, settings, _at(settings, old.lsn, watermark, newest), published=False)
        advance_features(con, plan)
    except (StateUnusable, LakeStateError, RefreshFailed, duckdb.Error) as problem:
        failed = Comparison({}, str(problem), failed=True)
    file = path if old.problem is None else settings.marts_path
    with attached(con, file, source_of(watermark), otherwise=source_in(path)) as found:
        if found:
            _restate(con, plan, KNOWN)
        comparison = failed or old.problem or _compare(con, plan)
        if found:
            closed = old.closed or open_day(con, f"{PREVIOUS}.{MARTS}.{WATERMARK}")
            if note_build(con, closed, old.cause):
                _restate(con, plan, WITH_NEW)
    return comparison


@dataclass(frozen=True)
class _Old:
    """The state of before; what was published counts in its place when it has a `problem`. `lsn`: where both are.

    `closed`: the open day of its last publication. `cause`: what the days that a build changes are restated with.
    """

    lsn: int
    closed: date | None = None
    problem: Comparison | None = None
    cause: str = CORRECTED


def _bring_old(settings: TransformSettings, path: Path, watermark: Watermark, newest: Watermark) -> _Old:
    """Bring the state of before to where the build or the marts are."""
    lsn = max(watermark.lsn, parse_lsn(published_watermark(settings.marts_path) or "0"))
    try:
        with opened(path, settings, newest) as con:
            closed, lsn = open_day(con), max(lsn, _lsn(con))
            advance(con, load_plan(con), settings, _at(settings, lsn, watermark, newest))
            advance_features(con, load_plan(con))
    except (StateUnusable, LakeStateError) as problem:
        cause = REDEFINED if isinstance(problem, ModelsChanged) else CORRECTED
        return _Old(lsn, problem=Comparison({}, str(problem)), cause=cause)
    except (RefreshFailed, duckdb.Error) as problem:  # the build heals what a refresh cannot
        return _Old(lsn, problem=Comparison({}, str(problem), failed=True))
    return _Old(lsn, closed)


def _restate(con: duckdb.DuckDBPyConnection, plan: Plan, corrections: str) -> None:
    """Put the rows of a query in the place of the corrections of closed days, in one transaction."""
    con.execute("BEGIN")
    try:
        replace_corrections(con, plan, corrections)
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


def _compare(con: duckdb.DuckDBPyConnection, plan: Plan) -> Comparison:
    if _differing(con, "build", "withheld"):
        return Comparison({}, "the build withholds other keys than the refreshes did")
    compared = [node for node in plan.published if node.name != WATERMARK]
    return Comparison({node.name: _differing(con, node.schema, node.name) for node in compared})


def _at(settings: TransformSettings, lsn: int, built: Watermark, newest: Watermark) -> Watermark:
    """The build's watermark when nothing is further than it; or the one at `lsn`, the newest when that has expired."""
    if lsn <= built.lsn:
        return built
    try:
        return watermark_at(settings.lake_uri, lsn)
    except LakeStateError:
        return newest


def _differing(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """Rows that only one of the two holds, equal ones counted as often as they occur."""
    one, other = (f'SELECT * FROM {catalog}{schema}."{table}"' for catalog in ("", f"{PREVIOUS}."))
    row = con.execute(
        f"SELECT (SELECT count(*) FROM ({one} EXCEPT ALL {other})) + (SELECT count(*) FROM ({other} EXCEPT ALL {one}))"
    ).fetchone()
    return int(row[0]) if row else 0


def _lsn(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT lsn FROM build.watermark").fetchone()
    return int(row[0]) if row else 0


def published_watermark(path: Path) -> str | None:
    """The LSN of the published marts as text; None before the first build, and when the file is damaged."""
    if not path.exists():
        return None
    try:
        with connect(path, read_only=True, threads=1) as con:
            row = con.execute(f"SELECT lsn_text FROM {MARTS}.{WATERMARK}").fetchone()
    except duckdb.Error:
        return None
    return str(row[0]) if row else None
