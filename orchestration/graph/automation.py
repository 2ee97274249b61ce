"""When an asset is made without a schedule of its own: conditions that Dagster's daemon evaluates once a minute.

Training follows the nightly rebuild as a run of its own, in its own queue.
"""

import dagster as dg

from orchestration.graph.queues import QUEUE, TRAINING
from orchestration.graph.schedules import NIGHT

TRAINED_NIGHTLY = (
    dg.AutomationCondition.on_cron(NIGHT)
    & dg.AutomationCondition.asset_matches(
        "fct_orders",
        dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True),
    )
    & ~dg.AutomationCondition.in_progress()
).with_label("after the nightly rebuild, when the marts' blocking checks hold")
"""Once a night, when every parent was made since 02:00 UTC and the marts' totals equal the lake's."""

SERVED_WHEN_TRAINED = (
    dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets("online_features"))
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("after training, when Redis equals Parquet")
"""In the run that trains. New online features alone start nothing: they change with every refresh."""

training_due = dg.AutomationConditionSensorDefinition(
    "training_due",
    target=dg.AssetSelection.groups("training", "serving"),
    run_tags={QUEUE: TRAINING},
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts training and its rollout when their automation conditions hold.",
)
