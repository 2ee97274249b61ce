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

# A set in which nothing differs from the last one says from time to time that it is still true.
_CONFIRM_SECONDS = 300.0


@dataclass(frozen=True)
class FeaturesResult:
    """`published`: whether there is a new set. `rows`: rows that went or came, by feature table that changed."""

    lsn_text: str
    published: bool
    rows: dict[str, int]
    seconds: float


def follow_features(settings: TransformSettings, kept: KeptState | None = None) -> FeaturesResult:
    """Bring the features to where the marts are and publish them when they changed. `kept` stays open.

    Raises LakeNotReady, StateUnusable, and RefreshFailed when a data test fails on a changed row; the last set stays.
    """
    began = time.perf_counter()
    newest = newest_watermark(settings.lake_uri)
    state = kept or KeptState(settings)
    try:
        con, plan = state.at(newest)
        rows = advance_features(con, plan)
        features = {node.name for node in plan.features if node.schema == FEATURES}
        changed = {name: count for name, count in rows.items() if count and name in features}
        lsn_text, as_of = features_watermark(con)
        published = bool(changed) or _is_behind(settings.features_folder, lsn_text)
        if published:
            publish_features(con, settings.features_folder, lsn_text, as_of, datetime.now(UTC))
    finally:
        if kept is None:
            state.close()
    return FeaturesResult(lsn_text, published, changed, round(time.perf_counter() - began, 3))


def advance_features(con: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, int]:
    """Bring the features in the open state file to where its marts are, in one transaction; changed rows by table."""
    con.execute("BEGIN")
    try:
        rows = refresh_features(con, plan)
        con.execute(
            "UPDATE refresh.features SET lsn_text = mark.lsn_text, as_of = mark.as_of FROM build.watermark AS mark"
        )
    except BaseException:
        con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")
    return rows


def features_watermark(con: duckdb.DuckDBPyConnection) -> tuple[str, datetime]:
    """The LSN as text and the commit time of the features in the state that `con` has open."""
    row = con.execute("SELECT lsn_text, as_of FROM refresh.features").fetchone()
    assert row is not None, "a state file has one position of its features"
    return str(row[0]), row[1]


def _is_behind(folder: Path, lsn_text: str) -> bool:
    """Whether the last set is not of this position and some minutes old: it was not published, or nothing changed."""
    try:
        document = json.loads((folder / "current" / "watermark.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    age = datetime.now(UTC) - datetime.fromisoformat(document["builtAt"])
    return bool(document["lsn"] != lsn_text) and age.total_seconds() > _CONFIRM_SECONDS
