"""What follows a run without a schedule of its own: training a rebuild that succeeded, the rollout a training.

Both are runs of the queue `training`. Dagster's daemon looks once a minute.
"""

import dagster as dg

from orchestration.graph.queues import QUEUE, TRAINING
from orchestration.graph.schedules import rebuild, training

SERVED_WHEN_TRAINED = (
    dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets("online_features"))
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("after training, when Redis equals Parquet")
"""New online features alone start nothing: they change with every refresh."""


@dg.sensor(
    job=training,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts training when a rebuild has succeeded, once for each.",
)
def rebuilt(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """The cursor is the run that training followed last.

    A run is asked and not its tables: a refresh and `marts_confirmed` report the same tables as made, while the
    rebuild is at work or has failed. A blocking check that fails makes its run fail.
    """
    succeeded = dg.RunsFilter(job_name=rebuild.name, statuses=[dg.DagsterRunStatus.SUCCESS])
    newest = [run.run_id for run in context.instance.get_runs(succeeded, limit=1)]
    if newest in ([], [context.cursor]):
        return dg.SkipReason("no rebuild has succeeded since")
    context.update_cursor(newest[0])
    return dg.RunRequest(run_key=newest[0], tags={"souk/rebuild": newest[0]})


training_due = dg.AutomationConditionSensorDefinition(
    "training_due",
    target=dg.AssetSelection.groups("training", "serving"),
    run_tags={QUEUE: TRAINING},
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the rollout when its automation condition holds.",
)
