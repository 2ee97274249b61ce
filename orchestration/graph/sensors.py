"""Starts a run when the lake has changed and refreshes by key do not follow it, or features are old."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Self

import dagster as dg

from features.errors import FeaturesMissing
from features.published import published, watermark
from orchestration.graph.assets.lake import lake_tables
from orchestration.graph.dbt_graph import read_project
from orchestration.graph.dead_runs import fail_dead_runs
from orchestration.graph.queues import DATA, at_work
from orchestration.graph.resources import Platform
from orchestration.graph.schedules import refresh
from orchestration.graph.tiers import FEATURES_AGE, LIMITS, REPORT_AGE, Tier
from transforms.incremental.follow import read_report
from warehouse.lake.behaviour import events_landed
from warehouse.lake.lsn import parse_lsn
from warehouse.lake.watermark import LakeStateError, Watermark, watermark_at

_SECONDS = 30
_BEHAVIOUR_SECONDS = 300
# A build for events waits so many times the seconds of the last one, so it takes at most a tenth of the time; but never
# so long that the marts of events become older than their tier allows.
_REST = 9
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)
_FAILURES_COUNTED = 20  # more wait no longer
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Failures:
    """The newest runs of the job `refresh`, if they failed in a row: how many (20 stands for more), the last one's id
    and end."""

    count: int
    last: str = ""
    ended: datetime = _NEVER

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> Self:
        """Read them."""
        records = instance.get_run_records(dg.RunsFilter(job_name=refresh.name), limit=_FAILURES_COUNTED)
        failed = list(takewhile(lambda record: record.dagster_run.is_failure_or_canceled, records))
        if not failed:
            return cls(0)
        ended = datetime.fromtimestamp(failed[0].end_time or failed[0].update_timestamp.timestamp(), UTC)
        return cls(len(failed), failed[0].dagster_run.run_id, ended)

    def key(self, change: str) -> str:
        """The key of the run that a change asks for: a new one after each failure, so that it is tried again."""
        return f"{change}#{self.last}" if self.count else change

    @property
    def again_at(self) -> datetime:
        """The time before which there is no further try.

        The wait doubles with each failure, so that a fault that stays does not keep the machine busy with whole builds.
        """
        return self.ended + min(_FIRST_WAIT * 2 ** (self.count - 1), _LONGEST_WAIT) if self.count else self.ended

    @property
    def told(self) -> str:
        """Why nothing starts before `again_at`."""
        return f"{self.count} refreshes in a row failed; the next is at {self.again_at:%H:%M:%S} UTC"


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Build marts and features in full when a table they read has changed: at once when refreshes by key do"
    " not follow the lake, else for the features, every quarter of an hour.",
)
def lake_moved(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """The cursor is the position of the tables that the marts read, so CDC's heartbeats and foreign tables start
    nothing. After a failed refresh it also has that run's id: the same position is tried again."""
    fail_dead_runs(context.instance)
    mark, built = platform.watermark(), built_at(platform)
    if mark is None or built is None:
        return dg.SkipReason("nothing was built yet: `souk pipeline` makes the first marts")
    tables = marts_sources(platform)
    position = position_of(mark, tables)
    if position == position_of(built, tables):
        return dg.SkipReason("no table that the marts read has changed")
    if marts_follow(platform) and datetime.now(UTC) - features_built_at(platform) < FEATURES_AGE:
        return dg.SkipReason("refreshes keep the marts fresh, and the features are young")
    if at_work(context.instance, DATA, queued=True):
        return dg.SkipReason("a run that makes tables is at work; the change waits for it")
    failures = Failures.of(context.instance)
    key = failures.key(position)
    if key == context.cursor:
        return dg.SkipReason("no table that the marts read has changed")
    if datetime.now(UTC) < failures.again_at:
        return dg.SkipReason(failures.told)
    context.update_cursor(key)
    return dg.RunRequest(run_key=key, tags={"souk/lsn": mark.lsn_text})


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_BEHAVIOUR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Build marts and features in full when behaviour events have landed, at most every few minutes.",
)
def behaviour_landed(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Shoppers browse all the time, so this has a pace of its own: refreshes by key do not read the events.

    The cursor is the number of events, after a failed refresh with that run's id: they are tried again.
    """
    failures = Failures.of(context.instance)
    landed = events_landed(platform.warehouse.lake_uri)
    key = failures.key(str(landed))
    if not landed or key == context.cursor:
        return dg.SkipReason("no behaviour event has landed since")
    if rests(context.instance, datetime.now(UTC)):
        return dg.SkipReason("the last build has ended lately for the time that it took")
    if built_at(platform) is None:
        return dg.SkipReason("nothing was built yet: `souk pipeline` makes the first marts")
    if at_work(context.instance, DATA, queued=True):
        return dg.SkipReason("a run that makes tables is at work; the events wait for it")
    if datetime.now(UTC) < failures.again_at:
        return dg.SkipReason(failures.told)
    context.update_cursor(key)
    return dg.RunRequest(run_key=f"behaviour:{key}", tags={"souk/behaviour": str(landed)})


def rests(instance: dg.DagsterInstance, now: datetime) -> bool:
    """Whether the last good build ended so lately that the next one for events waits."""
    done = instance.get_run_records(
        dg.RunsFilter(job_name=refresh.name, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1
    )
    began, ended = (done[0].start_time, done[0].end_time) if done else (None, None)
    if began is None or ended is None:
        return False
    return now.timestamp() - ended < rest_seconds(ended - began)


def rest_seconds(took: float) -> float:
    """How long builds for events wait after one of so many seconds: nine times that, but less when the marts of events
    would be older than analysts' tables may be once this sensor has ticked, another build has ended and the next one
    has."""
    left = LIMITS[Tier.ANALYST].total_seconds() - _BEHAVIOUR_SECONDS - 2 * took
    return max(0.0, min(_REST * took, left))


def built_at(platform: Platform) -> Watermark | None:
    """The watermark of the published features, whichever run built them; None before the first build.

    A watermark that the lake has folded away is returned without tables, so it equals no position.
    """
    try:
        text = watermark(published(platform.features)).lsn_text
    except FeaturesMissing:
        return None
    try:
        return watermark_at(platform.warehouse.lake_uri, parse_lsn(text))
    except LakeStateError:
        newest = platform.watermark()
        return None if newest is None else Watermark(parse_lsn(text), newest.commit_ts, newest.created_at)


def marts_follow(platform: Platform) -> bool:
    """Whether the process `marts` is alive and keeps the marts at the lake's watermark, without a need for a build."""
    report = read_report(platform.transforms.marts_status_path)
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(str(report.get("updatedAt")))
    except ValueError:
        return False
    return report.get("state") == "following" and report.get("needsBuild") is None and age < REPORT_AGE


def features_built_at(platform: Platform) -> datetime:
    """When the published features were built."""
    return datetime.fromtimestamp(published(platform.features).stat().st_mtime, UTC)


def marts_sources(platform: Platform) -> set[str]:
    """Lake tables that a dbt model reads.

    The derived tables of the jobs are left out: a run changes them, not the shop.
    """
    models = read_project(platform.transforms.dbt_project)
    return {parent for model in models for parent in model.parents}.intersection(lake_tables())


def position_of(mark: Watermark, tables: set[str]) -> str:
    """The last change of each of these tables as text; equal texts mean equal rows."""
    return ",".join(
        f"{name}:{version.changed_lsn}" for name, version in sorted(mark.versions.items()) if name in tables
    )
