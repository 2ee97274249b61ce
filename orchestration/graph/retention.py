"""Deletes old runs of Dagster, their events, check results and logs. Dagster itself keeps them for ever.

What the newest state is read from stays: the run that made an asset or a partition last, the run that evaluated a check
last, and the newest run of each job. Of such a run, once it is old, only those results stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import sqlalchemy as sa

# Dagster offers no call that deletes check results or events without a run; the tables are those of the pinned version.
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)

from orchestration.graph.queues import HOUSEKEEPING, QUEUE

_MADE = dg.DagsterEventType.ASSET_MATERIALIZATION.value
_CHECKED = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
_RUNLESS = ""  # the run id of an event that was reported outside a run
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_BATCH = 500


@dataclass(frozen=True)
class Retention:
    """`successes`: how many newest successful runs of one job are kept, for at most `succeeded`.

    `runless`: how long events outside a run are.
    """

    successes: int = 50
    succeeded: timedelta = timedelta(days=3)
    failed: timedelta = timedelta(days=14)
    runless: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Pruned:
    """What was deleted. `events` counts those of deleted runs, of shortened ones, and those without a run."""

    runs: int = 0
    events: int = 0
    checks: int = 0


def prune(instance: dg.DagsterInstance, keep: Retention, now: datetime | None = None) -> Pruned:
    """Delete what is older than `keep` says. Safe to repeat after a crash, and while runs are at work."""
    now = now or datetime.now(UTC)
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return Pruned()
    done = Pruned()
    with storage.index_connection() as connection:
        held = _held(connection)
        for record in list(_old(instance, keep, now)):
            run_id = record.dagster_run.run_id
            if run_id in held:
                done = replace(done, events=done.events + _shorten(connection, run_id))
            else:
                events = _count(connection, run_id)
                checks = _delete_checks(connection, run_id)
                instance.delete_run(run_id)
                instance.compute_log_manager.delete_logs(prefix=[run_id])
                done = Pruned(done.runs + 1, done.events + events, done.checks + checks)
        return replace(done, events=done.events + _delete_runless(connection, now - keep.runless))


def _old(instance: dg.DagsterInstance, keep: Retention, now: datetime) -> Iterator[dg.RunRecord]:
    """Finished runs past their time, or past the number that is kept; never the newest run of a job."""
    kept: dict[str, int] = {}
    cursor: str | None = None
    while records := instance.get_run_records(dg.RunsFilter(statuses=_FINISHED), limit=_BATCH, cursor=cursor):
        for record in records:
            run = record.dagster_run
            older = kept.get(run.job_name, 0)
            age, success = now - _utc(record.update_timestamp), run.status == dg.DagsterRunStatus.SUCCESS
            spent = age > (keep.succeeded if success else keep.failed) or (success and older >= keep.successes)
            if older and spent:
                yield record
            else:
                kept[run.job_name] = older + 1
        cursor = records[-1].dagster_run.run_id


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _held(connection: sa.Connection) -> set[str]:
    """Runs that made an asset or a partition last, or evaluated a check last."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    made = sa.select(sa.func.max(events.id)).where(events.dagster_event_type == _MADE)
    checked = sa.select(sa.func.max(checks.id)).where(checks.evaluation_event_timestamp.is_not(None))
    queries = (
        sa.select(events.run_id).where(events.id.in_(made.group_by(events.asset_key, events.partition))),
        sa.select(checks.run_id).where(checks.id.in_(checked.group_by(checks.asset_key, checks.check_name))),
    )
    return {str(run_id) for query in queries for (run_id,) in connection.execute(query)} - {_RUNLESS}


def _count(connection: sa.Connection, run_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(SqlEventLogStorageTable)
    return int(connection.execute(query.where(SqlEventLogStorageTable.c.run_id == run_id)).scalar_one())


def _shorten(connection: sa.Connection, run_id: str) -> int:
    """Keep of a run what it made, checked, and how it began and ended."""
    events = SqlEventLogStorageTable.c
    ends = [
        kind.value
        for kind in (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
    ]
    shown = sa.or_(events.dagster_event_type.is_(None), events.dagster_event_type.not_in([_MADE, _CHECKED, *ends]))
    deleted = connection.execute(sa.delete(SqlEventLogStorageTable).where(events.run_id == run_id, shown))
    return int(deleted.rowcount)


def _delete_checks(connection: sa.Connection, run_id: str) -> int:
    checks = sa.delete(AssetCheckExecutionsTable).where(AssetCheckExecutionsTable.c.run_id == run_id)
    return int(connection.execute(checks).rowcount)


def _delete_runless(connection: sa.Connection, before: datetime) -> int:
    """Delete old events outside runs, except each asset's and partition's newest of a kind."""
    events, tags = SqlEventLogStorageTable.c, AssetEventTagsTable.c
    newest = sa.select(sa.func.max(events.id)).where(events.run_id == _RUNLESS)
    newest = newest.group_by(events.dagster_event_type, events.asset_key, events.partition)
    old = sa.and_(events.run_id == _RUNLESS, events.timestamp < before.replace(tzinfo=None), events.id.not_in(newest))
    connection.execute(sa.delete(AssetEventTagsTable).where(tags.event_id.in_(sa.select(events.id).where(old))))
    return int(connection.execute(sa.delete(SqlEventLogStorageTable).where(old)).rowcount)


@dg.op(out=dg.Out(dg.Nothing), description="Deletes runs, events and check results that are older than is kept.")
def prune_log(context: dg.OpExecutionContext) -> None:
    """One deletion; its counts are in the run's log."""
    done = prune(context.instance, Retention())
    context.log.info("deleted %d runs, %d events, %d check results", done.runs, done.events, done.checks)


@dg.job(
    executor_def=dg.in_process_executor,
    tags={QUEUE: HOUSEKEEPING},
    description="Deletes old runs, their events, check results and logs of Dagster.",
)
def retention() -> None:
    """It waits for no run, and no run or sensor waits for it."""
    prune_log()


hourly_retention = dg.ScheduleDefinition(
    name="hourly_retention",
    job=retention,
    cron_schedule="17 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, so that the log is bounded at any rate of refreshes.",
)
