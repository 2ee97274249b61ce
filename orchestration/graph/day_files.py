"""Starts a backfill of the days whose files are not what the marts hold."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from orchestration.graph.assets.days import DAYS
from orchestration.graph.queues import DATA, QUEUE, at_work
from orchestration.graph.resources import Platform
from transforms.days import days_that_differ

_RANGES = 10
_GAP = timedelta(days=7)

days = dg.define_asset_job(
    "days",
    selection=dg.AssetSelection.groups("days"),
    description="The facts' files of one day or a range of days, at the lake's newest watermark.",
    tags={"souk/scope": "days", QUEUE: DATA},
    executor_def=dg.in_process_executor,
)


@dg.sensor(
    job=days,
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the files of days that closed, or whose orders moved on since.",
)
def days_changed(context: dg.SensorEvaluationContext, platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for each range of days. The next hour takes what is left."""
    if not platform.transforms.marts_path.exists():
        yield dg.SkipReason("nothing was built yet: `souk pipeline` makes the first marts")
        return
    if any(run.job_name == days.name for run in at_work(context.instance, DATA, queued=True)):
        yield dg.SkipReason("a run of this job is at work")
        return
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    closed = [day for day in days_that_differ(platform.transforms) if DAYS.start.date() <= day <= yesterday]
    if not closed:
        yield dg.SkipReason("every closed day's files are what the marts hold")
    for first, last in ranges(closed)[-_RANGES:]:
        yield dg.RunRequest(
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            }
        )


def ranges(found: Sequence[date]) -> list[tuple[date, date]]:
    """Sorted days as ranges; days at most a week apart share one, because a run costs more than a day."""
    joined: list[tuple[date, date]] = []
    for day in found:
        if joined and day - joined[-1][1] <= _GAP:
            joined[-1] = (joined[-1][0], day)
        else:
            joined.append((day, day))
    return joined
