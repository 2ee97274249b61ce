"""Feature tables between full builds: brought to where the marts are by the keys that changed, then published anew.

The changes of what features are made of wait in the state file, so features follow at their own pace: a published set
is whole files, whose cost is that of the tables and not of the change.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from transforms.incremental.engine import refresh_features
from transforms.incremental.plan import FEATURES, Plan
from transforms.incremental.state import KeptState
from transforms.lake import newest_watermark
from transforms.publish import publish_features
from transforms.settings import TransformSettings
from warehouse.lake.lsn import parse_lsn

# A set in which nothing differs from the last one says from time to time that it is still true.
_CONFIRM_SECONDS = 300.0


@dataclass(frozen=True)
class FeaturesResult:
    """`published`: whether there is a new set. `rows`: rows that went or came, by feature table that changed.

    `cpu`: processor seconds of the thread that did it.
    """

    lsn_text: str
    published: bool
    rows: dict[str, int]
    seconds: float
    cpu: float


def follow_features(settings: TransformSettings) -> FeaturesResult:
    """Bring the features to where the marts are and publish them when they changed.

    Raises LakeNotReady, StateUnusable, and RefreshFailed when a data test fails on a changed row; the last set stays.
    """
    state = KeptState(settings)
    try:
        con, plan = state.at(newest_watermark(settings.lake_uri))
        return renew_features(con, plan, settings)
    finally:
        state.close()


def renew_features(con: duckdb.DuckDBPyConnection, plan: Plan, settings: TransformSettings) -> FeaturesResult:
    """The same in a state file that `con` has open, while another connection may refresh the marts in it."""
    began, cpu = time.perf_counter(), time.thread_time()
    changed = advance_features(con, plan)
    lsn_text, as_of = features_watermark(con)
    published = _is_behind(settings.features_folder, lsn_text, _changed_at(con))
    if published:
        publish_features(con, settings.features_folder, lsn_text, as_of, datetime.now(UTC))
    seconds, cpu = (round(now - before, 3) for now, before in ((time.perf_counter(), began), (time.thread_time(), cpu)))
    return FeaturesResult(lsn_text, published, changed, seconds, cpu)


def advance_features(con: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Bring the features in the open state file to where its marts are, in one transaction; changed rows by feature
    table."""
    features = {node.name for node in plan.features if node.schema == FEATURES}
    con.execute("BEGIN")
    try:
        rows = refresh_features(con, plan)
        changed = {name: count for name, count in rows.items() if count and name in features}
        con.execute(
            "UPDATE refresh.features SET lsn_text = mark.lsn_text, as_of = mark.as_of,"
            f" changed_text = {'mark.lsn_text' if changed else 'changed_text'} FROM build.watermark AS mark"
        )
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")
    return changed


def features_watermark(con: duckdb.DuckDBPyConnection) -> tuple[str, datetime]:
    """The LSN as text and the commit time of the features in the state that `con` has open."""
    row = con.execute("SELECT lsn_text, as_of FROM refresh.features").fetchone()
    assert row is not None, "a state file has one position of its features"
    return str(row[0]), row[1]


def _changed_at(con: duckdb.DuckDBPyConnection) -> int:
    """The LSN at which a feature in the state changed last."""
    row = con.execute("SELECT changed_text FROM refresh.features").fetchone()
    return parse_lsn(str(row[0])) if row else 0


def _is_behind(folder: Path, lsn_text: str, changed_at: int) -> bool:
    """Whether the last set lacks a change, or says a position of some minutes ago."""
    try:
        document = json.loads((folder / "current" / "watermark.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    if parse_lsn(document["lsn"]) < changed_at:
        return True
    age = datetime.now(UTC) - datetime.fromisoformat(document["builtAt"])
    return bool(document["lsn"] != lsn_text) and age.total_seconds() > _CONFIRM_SECONDS
