"""Runs whose process has ended.

Dagster's run monitoring does not support the launcher used on one machine, so such a run would stay "started" and block
every later run of its queue.
"""

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import dagster as dg

_CLOCK_SECONDS = 2.0  # psutil computes start times from the boot time, which shifts when the clock is corrected


def fail_dead_runs(instance: "dg.DagsterInstance") -> list[str]:
    """Mark as failed every started run whose process ended (kill -9, `souk down`, a crash); returns their ids.

    Applies only where runs are processes of this machine; Dagster's daemon monitors those of other launchers.
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
    """Whether the process that reported the run's start still runs.

    A process that began after that event reuses the pid.
    """
    import dagster as dg

    starts = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_START)
    if not starts:
        return True  # it has not begun: Dagster's start timeout applies
    try:
        process = psutil.Process(starts[-1].get_dagster_event().pid)
        same: bool = process.create_time() <= starts[-1].timestamp + _CLOCK_SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
