"""Which sensors would find nothing: asked in the daemon, before a tick.

A tick is a call to the code server, which reads the lake and Dagster's tables, and five rows in Postgres. While nothing
has changed since the last one it finds what that found, so it is left out. What a sensor looks at is told by its
*signs*, which cost one statement or a few small files: ends of runs, results of checks, changes of freshness, the
report of the process `marts`, the features' files.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.runs.schema import RunsTable

from features.errors import FeaturesMissing
from features.published import published
from features.settings import FeatureSettings
from orchestration.graph.tiers import FEATURES_AGE, LIMITS, REPORT_AGE, is_due
from transforms.settings import TransformSettings
from warehouse.files import read_json
from warehouse.logs import get_logger

log = get_logger(__name__)
# A sensor is asked so often whatever its signs say: an event that somebody reports by hand in the pages is none.
LONGEST_SECONDS = 300.0
# How often the daemon asks.
LOOK_SECONDS = 10
_SIGNS = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.FRESHNESS_STATE_CHANGE,
)
_BAD_ENDS = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)
_AT_WORK = [
    status.value
    for status in (
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    )
]
# Events are numbered before they are committed: one that appears below the newest changes the sum of the last ones.
_LAST = 200


class Busy(Exception):
    """A run waits or is at work, or the last one failed: every sensor looks at that, and at the clock."""


class Gates:
    """A sensor's gate is closed when its signs are those that its last tick saw, or None: then it finds nothing."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._signs: dict[str, Callable[[SensorInstigatorData], object]] = {
            "alerts": self._log,
            "rebuilt": self._log,
            "training_due": self._log,
            "lake_moved": self._marts,
            "marts_confirmed": _tiers_due,
        }
        self._seen: dict[str, tuple[object, float]] = {}

    def closed(self, state: InstigatorState, sensor: RemoteSensor) -> bool:
        """Whether a tick that is due would find nothing. It may be asked again before the tick."""
        data, ask, now = state.instigator_data, self._signs.get(sensor.name), time.time()
        if ask is None or not isinstance(data, SensorInstigatorData) or not _succeeded(data):
            return False
        begun = max(data.last_tick_start_timestamp or 0.0, data.last_tick_timestamp or 0.0)
        if now - begun >= LONGEST_SECONDS:
            return False
        try:
            signs = ask(data)
        except Busy:
            self._seen.pop(sensor.name, None)
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the tick finds out and shows it
            log.warning("a sensor's signs cannot be read", sensor=sensor.name, error=str(error))
            return False
        if signs is None:
            return True
        seen, first = self._seen.get(sensor.name, (None, now))
        if seen != signs:
            self._seen[sensor.name] = signs, now
            return False
        return begun > first

    def _log(self, _: SensorInstigatorData) -> object:
        """Ends of runs, results of checks, changes of freshness."""
        storage = self._instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise Busy
        with storage.index_connection() as connection:
            *signs, newest_bad, newest_good, at_work = connection.execute(_STATEMENT).one()
        if at_work or newest_bad > newest_good:
            raise Busy
        return tuple(signs)

    def _marts(self, data: SensorInstigatorData) -> object:
        """Whether `marts` follows the lake, since when no table has changed, and which features there are."""
        report = read_json(TransformSettings().marts_status_path)
        written = datetime.fromisoformat(str(report.get("updatedAt")))
        now = datetime.now(UTC)
        follows = report.get("state") == "following" and now - written < REPORT_AGE
        if not follows or report.get("needsBuild") is not None or report.get("behindSince") is not None:
            raise Busy
        try:
            folder = published(FeatureSettings())
            built: float | None = folder.stat().st_mtime
        except FeaturesMissing:
            built = None
        old = built is not None and now - datetime.fromtimestamp(built, UTC) >= FEATURES_AGE
        return report.get("changedLsn"), built, old, self._log(data)


def _succeeded(data: SensorInstigatorData) -> bool:
    """Whether the last tick has ended well: one that begins sets one of them and unsets the other, and one for
    conditions unsets both when it ends."""
    return data.last_tick_success_timestamp is not None or data.last_tick_start_timestamp is None


def _tiers_due(data: SensorInstigatorData) -> object:
    """None while no tier is due."""
    last = {name: datetime.fromisoformat(text) for name, text in json.loads(data.cursor or "{}").items()}
    now = datetime.now(UTC)
    if any(is_due(last.get(tier), limit, now, LOOK_SECONDS) for tier, limit in LIMITS.items()):
        raise Busy
    return None


def _sum_of_last(kind: dg.DagsterEventType) -> sa.ScalarSelect[int]:
    events = SqlEventLogStorageTable.c
    last = sa.select(events.id).where(events.dagster_event_type == kind.value).order_by(events.id.desc()).limit(_LAST)
    return sa.select(sa.func.coalesce(sa.func.sum(last.subquery().c.id), 0)).scalar_subquery()


def _newest(*kinds: dg.DagsterEventType) -> sa.ColumnElement[int]:
    events = SqlEventLogStorageTable.c
    newest = [
        sa.select(sa.func.coalesce(sa.func.max(events.id), 0))
        .where(events.dagster_event_type == kind.value)
        .scalar_subquery()
        for kind in kinds
    ]
    return sa.func.greatest(*newest)


_STATEMENT = sa.select(
    *(_sum_of_last(kind).label(kind.name.lower()) for kind in _SIGNS),
    _newest(*_BAD_ENDS).label("newest_bad"),
    _newest(dg.DagsterEventType.RUN_SUCCESS).label("newest_good"),
    sa.exists(sa.select(RunsTable.c.id).where(RunsTable.c.status.in_(_AT_WORK))).label("at_work"),
)
