"""Runs whose process is gone. Dagster's own monitoring cannot ask the launcher used on one machine, so such a run would
stay "started" for ever, and with one run at a time nothing would ever be built again."""

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import dagster as dg

_CLOCK_SECONDS = 2.0  # psutil computes start times from the boot time, which moves a little when the clock is corrected


def fail_dead_runs(instance: "dg.DagsterInstance") -> list[str]:
    """Mark every started run failed whose process ended (kill -9, `souk down`, a crash); returns their ids.

    Only where runs are processes of this machine: another launcher's are asked by Dagster's daemon.
    """
    import dagster as dg

    if not isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        return []
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    dead = [run for run in instance.get_runs(started) if not _alive(instance, run.run_id)]
    for run in dead:
        instance.report_run_failed(run, "the process that ran it ended before the run did")
    return [run.run_id for run in dead]


def _alive(instance: "dg.DagsterInstance", run_id: str) -> bool:
    """Whether the process that told the run's start still lives. A process that is younger than the event only has the
    same number."""
    import dagster as dg

    starts = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START)
    if not starts:
        return True  # not begun yet: Dagster's start timeout decides
    try:
        process = psutil.Process(starts[-1].get_dagster_event().pid)
        same: bool = process.create_time() <= starts[-1].timestamp + _CLOCK_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
