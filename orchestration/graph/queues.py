"""The two queues of Dagster's runs: `data` makes tables, marts and features; `training` fits models and serves them.

One run of each queue works at a time, and neither waits for the other. The tag on a run names its queue; Dagster's
coordinator reads it (`orchestration.runtime.dagster_home`).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

QUEUE = "souk/queue"
DATA, TRAINING = "data", "training"
HOUSEKEEPING = "housekeeping"
"""Of runs that make no table: no limit applies to them, and nothing waits for one."""
LAST = {"dagster/priority": "-1"}
"""Op tags of a step that begins when no other step can."""


def at_work(instance: "dg.DagsterInstance", queue: str, *, queued: bool = False) -> "list[dg.DagsterRun]":
    """Runs of a queue that have a process, and with `queued` those that wait for one too. A run without the tag counts
    as `data`."""
    import dagster as dg

    statuses = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED] if queued else []
    runs = instance.get_runs(dg.RunsFilter(statuses=[*statuses, *waiting]))
    return [run for run in runs if run.tags.get(QUEUE, DATA) == queue]


def leave_data_queue(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Move a run that has made its tables and begins to train: from now on a refresh does not wait for it."""
    if instance.has_run(run_id):
        instance.add_run_tags(run_id, {QUEUE: TRAINING})
