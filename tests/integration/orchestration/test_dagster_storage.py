"""What Dagster keeps in Postgres and whom it starts: the queues and the retention of the configuration that `souk up`
writes, on a real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import psycopg
import sqlalchemy as sa
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import create_daemons_from_instance
from dagster._daemon.daemon import IntervalDaemon, MonitoringDaemon
from dagster._daemon.freshness import FreshnessDaemon
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_postgres import PostgresRunStorage, PostgresScheduleStorage

from orchestration.alert_log import AlertLog
from orchestration.graph.alerts import alerts_after
from orchestration.graph.daemon import daemons
from orchestration.graph.definitions import defs
from orchestration.graph.queues import DATA, HOUSEKEEPING, QUEUE, TRAINING, at_work, leave_data_queue
from orchestration.graph.retention import Retention, prune, retention
from orchestration.graph.schedules import everything, rebuild, refresh
from orchestration.graph.storage import _true_for_good, engine

LATER = timedelta(days=30)
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("souk"), "__repository__"), "any")


def queue(instance: dg.DagsterInstance, queue: str | None, status: dg.DagsterRunStatus) -> str:
    """A run of a queue in a state; returns its id."""
    tags = {QUEUE: queue} if queue else {}
    run = dg.DagsterRun(job_name="any", run_id=str(uuid4()), status=status, tags=tags, remote_job_origin=ORIGIN)
    return instance.add_run(run).run_id


def next_runs(instance: dg.DagsterInstance) -> list[str]:
    """The runs that Dagster's coordinator would start now."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    found = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)  # noqa: SLF001 - what its loop calls
    return [run.run_id for run in found]


def test_a_refresh_starts_while_training_runs_and_not_while_tables_are_made(instance: dg.DagsterInstance) -> None:
    training = queue(instance, TRAINING, dg.DagsterRunStatus.STARTED)
    first = queue(instance, DATA, dg.DagsterRunStatus.QUEUED)
    second = queue(instance, DATA, dg.DagsterRunStatus.QUEUED)
    trains_too = queue(instance, TRAINING, dg.DagsterRunStatus.QUEUED)

    assert next_runs(instance) == [first]
    assert [run.run_id for run in at_work(instance, TRAINING)] == [training]
    assert {run.run_id for run in at_work(instance, DATA, queued=True)} == {first, second}
    assert trains_too not in next_runs(instance)


def test_a_run_that_begins_to_train_lets_the_refresh_begin(instance: dg.DagsterInstance) -> None:
    whole = queue(instance, DATA, dg.DagsterRunStatus.STARTED)
    waiting = queue(instance, DATA, dg.DagsterRunStatus.QUEUED)
    assert next_runs(instance) == []

    leave_data_queue(instance, whole)

    assert next_runs(instance) == [waiting]


def test_a_run_without_a_queue_counts_as_data(instance: dg.DagsterInstance) -> None:
    unnamed = queue(instance, None, dg.DagsterRunStatus.STARTED)

    assert [run.run_id for run in at_work(instance, DATA)] == [unnamed]


def test_every_job_that_makes_tables_is_in_the_data_queue() -> None:
    assert [(job.tags or {})[QUEUE] for job in (everything, refresh, rebuild)] == [DATA] * 3


def test_a_killed_run_is_started_once_more_and_a_failed_step_is_not(instance: dg.DagsterInstance) -> None:
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 1
    assert not instance.run_retries_retry_on_asset_or_op_failure


@dg.asset
def made() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"figure": 7})


@dg.asset_check(asset="made")
def holds() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.op
def breaks() -> None:
    raise ValueError("out of paper")


@dg.job(executor_def=dg.in_process_executor)
def broken() -> None:
    breaks()


ONE = dg.Definitions(
    assets=[made], asset_checks=[holds], jobs=[dg.define_asset_job("one", executor_def=dg.in_process_executor)]
)


def run_one(instance: dg.DagsterInstance) -> str:
    return ONE.resolve_job_def("one").execute_in_process(instance=instance).run_id


def counts(url: str) -> dict[str, int]:
    """Rows of the tables that grow with every run."""
    with psycopg.connect(url) as connection:
        return {
            table: int(str(row[0]))
            for table in ("runs", "event_logs", "asset_check_executions")
            if (row := connection.execute(f"SELECT count(*) FROM {table}").fetchone())
        }


def test_old_runs_their_events_and_check_results_go(instance: dg.DagsterInstance, storage_url: str) -> None:
    old, newest = run_one(instance), run_one(instance)
    events = len(instance.all_logs(old))

    done = prune(instance, Retention(), datetime.now(UTC) + LATER)

    assert (done.runs, done.events, done.checks) == (1, events, 1)
    assert [run.run_id for run in instance.get_runs()] == [newest]
    assert counts(storage_url)["asset_check_executions"] == 1
    assert prune(instance, Retention(), datetime.now(UTC) + LATER).runs == 0


def test_the_newest_successes_are_kept_whatever_their_rate(instance: dg.DagsterInstance) -> None:
    runs = [queue(instance, DATA, dg.DagsterRunStatus.SUCCESS) for _ in range(4)]

    done = prune(instance, Retention(successes=2))

    assert done.runs == 2
    assert {run.run_id for run in instance.get_runs()} == set(runs[2:])


def test_what_the_newest_state_is_read_from_stays(instance: dg.DagsterInstance) -> None:
    """The run that made the asset last is old and not the newest of its job: its result stays, its steps go."""
    made_it = run_one(instance)
    other = dg.DagsterRun(job_name="one", run_id=str(uuid4()), status=dg.DagsterRunStatus.SUCCESS)
    instance.add_run(other)

    done = prune(instance, Retention(), datetime.now(UTC) + LATER)

    event = instance.get_latest_materialization_event(dg.AssetKey("made"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["figure"].value == 7
    assert (done.runs, event.run_id) == (0, made_it)
    kinds = {
        entry.get_dagster_event().event_type_value for entry in instance.all_logs(made_it) if entry.is_dagster_event
    }
    assert kinds == {"PIPELINE_START", "ASSET_MATERIALIZATION", "ASSET_CHECK_EVALUATION", "PIPELINE_SUCCESS"}


def test_old_events_without_a_run_go_except_the_newest(instance: dg.DagsterInstance, storage_url: str) -> None:
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetMaterialization("made", metadata={"figure": 1}))

    done = prune(instance, Retention(), datetime.now(UTC) + LATER)

    assert done.events == 2
    assert counts(storage_url)["event_logs"] == 1
    assert instance.get_latest_materialization_event(dg.AssetKey("made")) is not None


def test_recent_runs_are_kept(instance: dg.DagsterInstance) -> None:
    """The control of the tests above."""
    for _ in range(2):
        queue(instance, DATA, dg.DagsterRunStatus.SUCCESS)

    assert prune(instance, Retention()).runs == 0
    assert len(instance.get_runs()) == 2


def test_the_scheduled_job_deletes(instance: dg.DagsterInstance, storage_url: str) -> None:
    old, older, recent = (queue(instance, DATA, dg.DagsterRunStatus.FAILURE) for _ in range(3))
    with psycopg.connect(storage_url) as connection:
        connection.execute(
            "UPDATE runs SET update_timestamp = now() - interval '15 days' WHERE run_id = ANY(%s)", ([old, older],)
        )
    [schedule] = [one for one in defs.get_repository_def().schedule_defs if one.name == "hourly_retention"]
    done = defs.resolve_job_def(schedule.job_name).execute_in_process(instance=instance)

    assert done.success
    assert {run.run_id for run in instance.get_runs()} == {recent, done.run_id}


def test_nothing_waits_for_the_deletion(instance: dg.DagsterInstance) -> None:
    """A control is the run without a queue above: it counts as data."""
    deletes = queue(instance, str(retention.tags[QUEUE]), dg.DagsterRunStatus.STARTED)
    waiting = queue(instance, DATA, dg.DagsterRunStatus.QUEUED)

    assert at_work(instance, DATA) == at_work(instance, TRAINING) == []
    assert next_runs(instance) == [waiting]
    assert [run.run_id for run in at_work(instance, HOUSEKEEPING)] == [deletes]


def test_a_failed_run_is_an_alert_until_the_job_succeeds(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl")
    broken.execute_in_process(instance=instance, raise_on_error=False)
    position, found = alerts_after(instance, 0)
    log.append(found)
    [alert] = log.open()

    assert (alert.kind, alert.subject) == ("run_failed", "broken")
    assert "breaks: ValueError: out of paper" in alert.message
    assert log.append(alerts_after(instance, position)[1]) == []


def test_a_failed_check_is_an_alert_and_ends_when_it_passes(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    log = AlertLog(tmp_path / "alerts.jsonl")
    position, new = 0, list[bool]()
    for passed in (True, False, False, True):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=dg.AssetKey("made"), check_name="holds", passed=passed, metadata={})
        )
        position, found = alerts_after(instance, position)
        raised = log.append(found)
        new += [alert.resolved for alert in raised]
        assert {(alert.kind, alert.subject) for alert in raised} <= {("check_failed", "made:holds")}
        position, again = alerts_after(instance, position)
        assert len(again) >= len(found)
        assert log.append(again) == []
        assert bool(log.open()) is not passed

    assert new == [False, True]


@contextmanager
def counted(made: sa.Engine, event: str) -> Iterator[list[object]]:
    """What happens to an engine inside the block: one entry each time."""
    seen: list[object] = []

    def note(*about: object) -> None:
        seen.append(about)

    sa.event.listen(made, event, note)
    try:
        yield seen
    finally:
        sa.event.remove(made, event, note)


def test_statements_of_every_storage_share_the_kept_connections(
    configured: dg.DagsterInstance, storage_url: str
) -> None:
    configured.get_runs(limit=1)

    with counted(engine(storage_url), "connect") as opened, counted(engine(storage_url), "checkout") as used:
        for _ in range(10):
            assert configured.get_runs_count() >= 0
            configured.all_instigator_state()
            with dg.DagsterInstance.from_ref(configured.get_ref()) as another:  # as each tick of a sensor makes one
                another.event_log_storage.get_maximum_record_id()

    assert len(used) >= 30
    assert opened == []


def test_dagster_itself_opens_a_connection_for_each_statement(storage_url: str) -> None:
    """The control: without the kept ones every statement would be seen."""
    plain = PostgresRunStorage(storage_url)

    with counted(plain._engine, "connect") as opened:  # noqa: SLF001 - Dagster shows it nowhere else
        for _ in range(5):
            plain.get_runs_count()

    assert len(opened) == 5


def test_a_connection_that_the_server_has_closed_is_replaced_unseen(
    configured: dg.DagsterInstance, storage_url: str
) -> None:
    configured.get_runs(limit=1)
    with psycopg.connect(storage_url, autocommit=True) as operator:
        (ended,) = operator.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone() or (0,)

    with counted(engine(storage_url), "connect") as opened:
        configured.get_runs(limit=1)

    assert ended >= 1
    assert len(opened) == 1


def test_whether_the_tables_are_there_is_asked_once(configured: dg.DagsterInstance, storage_url: str) -> None:
    configured.all_instigator_state()

    with counted(engine(storage_url), "before_cursor_execute") as sent:
        configured.all_instigator_state()
    kept = len(sent)
    with counted((plain := PostgresScheduleStorage(storage_url))._engine, "before_cursor_execute") as sent:  # noqa: SLF001 - the same
        plain.all_instigator_state()

    assert kept == 1
    assert len(sent) > 1, "the control"


def test_an_answer_that_may_change_is_asked_again() -> None:
    answers = iter([False, True])
    known: set[tuple[object, ...]] = set()
    ask = _true_for_good(known, "has", lambda name: next(answers))

    assert [ask("a"), ask("a"), ask("a")] == [False, True, True]


def test_the_daemon_starts_those_of_dagster_and_waits_longer(instance: dg.DagsterInstance) -> None:
    ours = {type(daemon): daemon for daemon in daemons(instance)}

    assert set(ours) == {type(daemon) for daemon in create_daemons_from_instance(instance)}
    assert {kind: daemon.interval_seconds for kind, daemon in ours.items() if isinstance(daemon, IntervalDaemon)} == {
        QueuedRunCoordinatorDaemon: 5,
        MonitoringDaemon: 120,
        EventLogConsumerDaemon: 30.0,
        FreshnessDaemon: 60.0,
    }
