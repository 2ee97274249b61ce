"""The process that keeps the published marts at the lake's newest watermark, and its status file."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from transforms.errors import LakeNotReady, RefreshFailed, StateUnusable
from transforms.incremental.changes import log_position
from transforms.incremental.features import FeaturesResult, renew_features
from transforms.incremental.refresh import RefreshResult, published_watermark, refresh
from transforms.incremental.state import KeptState, wanted_path
from transforms.settings import TransformSettings
from warehouse.changes import Changes, Kind
from warehouse.files import read_json
from warehouse.lake.hot import hot_folder
from warehouse.lake.read import LakeStateError, Watermark, latest_watermark
from warehouse.logs import get_logger
from warehouse.running import StatusFile
from warehouse.stop import Stop

log = get_logger(__name__)
# It is woken when the lake has moved or a process wants the state; so often it looks all the same.
_LOOK_SECONDS = 5.0
# How often it looks whether the features are finished, while they are made.
_FEATURES_LOOK_SECONDS = 0.25
# From the begin of one refresh to the begin of the next, and the longest time without one while the lake moves.
_PACE_SECONDS, _IDLE_SECONDS = 2.0, 60.0
_RETRY_SECONDS = (1.0, 5.0, 30.0, 120.0)
# From the begin of one set of features to the next; or as many times its own seconds, a fortieth of the time.
_FEATURES_SECONDS, _FEATURES_REST = 30.0, 40.0
WAITING = "waiting for a build"


@dataclass
class Report:
    """The content of the status file.

    `state`: `following`; `waiting for a build` in full, `needs_build` says why; `failed`. `behind_since`: since when
    the lake has something that the marts do not have. `changed_lsn`: no row of a table is newer, as far as this process
    has seen.
    """

    state: str = WAITING
    lsn: str | None = None
    changed_lsn: str | None = None
    behind_since: str | None = None
    needs_build: str | None = None
    error: str | None = None
    failing_since: str | None = None
    refreshes: int = 0
    features: dict[str, object] = field(default_factory=dict)
    last: dict[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {
            "state": self.state,
            "lsn": self.lsn,
            "changedLsn": self.changed_lsn,
            "behindSince": self.behind_since,
            "needsBuild": self.needs_build,
            "error": self.error,
            "failingSince": self.failing_since,
            "refreshes": self.refreshes,
            "features": self.features,
            "last": self.last,
        }


class FeaturesFollower:
    """Keeps the features up to date while refreshes go on, in a thread and on a connection of its own: what they cost
    grows with the tables that are published, and no order waits for them.
    """

    def __init__(self, settings: TransformSettings, state: KeptState, report: Report) -> None:
        self._settings, self._state, self._report = settings, state, report
        self._thread = ThreadPoolExecutor(1, "features")
        self._running: Future[FeaturesResult] | None = None
        self._con: duckdb.DuckDBPyConnection | None = None
        self._began = self.due = self._cpu = 0.0
        self._at = -1

    def step(self) -> bool:
        """Begin when the marts have moved and the last time is long enough ago, or see what has ended; returns whether
        the report has changed."""
        if self._running is not None:
            if not self._running.done():
                return False
            self._end(self._running)
            return True
        report, began = self._report, time.monotonic()
        if report.state != "following" or self._at == report.refreshes or began < self.due:
            return False
        second = self._state.second()
        if second is not None:
            self._at, self._began = report.refreshes, began
            self._con, plan = second
            self._running = self._thread.submit(renew_features, self._con, plan, self._settings)
        return False

    def wait(self) -> None:
        """Until what has begun has ended."""
        if self._running is not None:
            wait([self._running])

    @property
    def look_in(self) -> float:
        """Seconds until `step` may have something to do, unless a refresh comes before."""
        if self._running is not None:
            return _FEATURES_LOOK_SECONDS
        if self._report.state != "following" or self._at == self._report.refreshes:
            return _LOOK_SECONDS
        return max(self.due - time.monotonic(), 0.0)

    def stop(self) -> None:
        """Give up what has begun: its changes wait for the next time. Whoever closes the state stops this first."""
        if self._running is None:
            return
        while self._con is not None and wait([self._running], 0.05).not_done:
            self._con.interrupt()  # again: between two statements it does nothing
            self._at = -1
        self._end(self._running)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._thread.shutdown()

    def _end(self, running: Future[FeaturesResult]) -> None:
        """A failure keeps the last set, and the marts go on; features that stay old are built in full."""
        report, at = self._report, datetime.now(UTC).isoformat()
        self.due = self._began + max(_FEATURES_SECONDS, _FEATURES_REST * (time.monotonic() - self._began))
        try:
            done = running.result()
        except duckdb.InterruptException:
            self.due = 0.0
        except (LakeNotReady, StateUnusable, RefreshFailed, LakeStateError, duckdb.Error, OSError) as error:
            log.warning("features stay as they are", error=str(error))
            report.features = {**report.features, "error": str(error), "failedAt": at}
        else:
            self._cpu += done.cpu
            report.features = {
                "lsn": done.lsn_text,
                "at": at,
                "seconds": done.seconds,
                "rows": sum(done.rows.values()),
                "cpuSeconds": round(self._cpu, 3),
            }
        if self._con is not None:
            self._con.close()
        self._running = self._con = None


class Follower:
    """Refreshes when the lake has moved; `step` is one look."""

    def __init__(self, settings: TransformSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._seen: Watermark | None = None
        self._kept_at = 0.0
        self._state = KeptState(settings)
        self.changes = Changes(
            {
                hot_folder(settings.lake_uri): Kind.WRITTEN | Kind.PLACED,
                settings.state_path.parent: Kind.PLACED,
                wanted_path(settings): Kind.MODIFIED,
            }
        )
        self.report = Report()
        self.features = FeaturesFollower(settings, self._state, self.report)
        self.status = StatusFile(settings.marts_status_path, self.report.as_json)

    def step(self) -> float:
        """Look once and refresh when there is something new; returns the seconds before which there is no next look
        unless a build has made the state anew. With 0 the next look is due when something changes."""
        began = time.monotonic()
        if self._state.wanted():
            self.close()
        idle = began - self._kept_at > _IDLE_SECONDS
        try:
            mark = latest_watermark(self._settings.lake_uri)
            if mark is not None and self._holds(mark, exactly=idle) and self._state.is_open:
                return 0.0
            if self.report.behind_since is None:
                self.report.behind_since = datetime.now(UTC).isoformat()
            done = refresh(self._settings, always=idle, kept=self._state)
        except (LakeNotReady, StateUnusable) as reason:
            self._waits(str(reason))
            return _RETRY_SECONDS[1]
        except (RefreshFailed, LakeStateError, duckdb.Error, OSError) as error:
            return self._fails(error)
        # What has come since the look above is seen by the next one.
        if mark is not None and (self._seen is None or rows_of(mark) != rows_of(self._seen)):
            self.report.changed_lsn = mark.lsn_text
        self._seen = mark
        self._followed(done, began)
        return _PACE_SECONDS - (time.monotonic() - began)

    def _holds(self, mark: Watermark, *, exactly: bool) -> bool:
        """Whether the marts have every row of this watermark, and its position too when asked `exactly`: it moves on
        with everything that the server writes, also for others."""
        seen = self._seen
        return seen is not None and (mark.lsn == seen.lsn or (not exactly and rows_of(mark) == rows_of(seen)))

    def step_features(self) -> None:
        """One look of the features."""
        if self.features.step():
            self.status.write()

    def _followed(self, done: RefreshResult, began: float) -> None:
        report, self._failures = self.report, 0
        report.state, report.needs_build, report.error, report.failing_since = "following", done.needs_build, None, None
        report.behind_since = None
        if done.published:
            self._kept_at = began
            report.lsn, report.refreshes = done.lsn_text, report.refreshes + 1
            report.last = {
                "at": datetime.now(UTC).isoformat(),
                "seconds": done.seconds,
                "rows": sum(done.rows.values()),
            }
        self.status.write()

    def _waits(self, reason: str) -> None:
        """A full build, which others start, is needed before a refresh is possible."""
        self.close()
        self.report.state, self.report.needs_build = WAITING, reason
        self.report.lsn = published_watermark(self._settings.marts_path)
        self.status.write()

    def _fails(self, error: Exception) -> float:
        """The same change is tried again, each time later; a full build may help, since it withholds rows that fail."""
        self.close()
        report = self.report
        wait = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        log.warning("the refresh failed, trying again", seconds=wait, error=str(error))
        if isinstance(error, RefreshFailed) or self._failures > 1:
            report.state, report.error = "failed", str(error)
            report.needs_build = str(error)
            report.failing_since = report.failing_since or datetime.now(UTC).isoformat()
        self.status.write()
        return wait

    def wait(self, stop: Stop, seconds: float) -> None:
        """So long, but no longer than until a build has made the state anew; without a time until something changes."""
        if seconds <= 0:
            self.changes.wait(stop, min(_LOOK_SECONDS, self.features.look_in))
            return
        ends, before = time.monotonic() + seconds, self._state.identity()
        while not stop.asked and (left := ends - time.monotonic()) > 0 and self._state.identity() == before:
            self.changes.wait(stop, min(left, self.features.look_in))

    def close(self) -> None:
        """Let other processes have the state; the next refresh opens it again."""
        self.features.stop()
        self._state.close()


def rows_of(mark: Watermark) -> tuple[object, ...]:
    """Equal for two watermarks between which no row of a table has come or gone."""
    return mark.source, *((name, log_position(table), table.error) for name, table in sorted(mark.versions.items()))


def follow(settings: TransformSettings, stop: Stop) -> int:
    """Refresh until `stop`."""
    follower = Follower(settings)
    follower.status.write()
    with follower.status.beating():
        try:
            while not stop.asked:
                seconds = follower.step()
                follower.step_features()
                follower.wait(stop, seconds)
        finally:
            follower.close()
            follower.features.close()
            follower.changes.close()
    return 0


def read_report(path: Path) -> dict[str, object]:
    """The status file's content; empty when there is none."""
    return read_json(path)
