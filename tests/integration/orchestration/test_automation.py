"""What follows a run by itself: training a rebuild that succeeded, the rollout a training, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

from orchestration.graph.automation import rebuilt
from orchestration.graph.definitions import defs
from orchestration.graph.queues import QUEUE, TRAINING

PARENTS = (
    "fct_order_items",
    "dim_product",
    "features_product",
    "features_user",
    "features_shop",
    "interaction_sequences",
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


class Night:
    """Ticks of the sensor that starts training."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._cursor: str | None = None

    def run(self, job: str, status: dg.DagsterRunStatus) -> str:
        run = dg.DagsterRun(job_name=job, run_id=str(uuid4()), status=status, tags={"souk/scope": job})
        return self._instance.add_run(run).run_id

    def tick(self) -> str | None:
        """The run that training is asked to follow."""
        context = dg.build_sensor_context(instance=self._instance, cursor=self._cursor)
        asked = rebuilt(context)
        assert isinstance(asked, (dg.RunRequest, dg.SkipReason))
        self._cursor = context.cursor
        return asked.run_key if isinstance(asked, dg.RunRequest) else None


def test_training_follows_each_rebuild_that_succeeded_once(instance: dg.DagsterInstance) -> None:
    night = Night(instance)
    assert night.tick() is None
    for _ in range(2):
        done = night.run("rebuild", dg.DagsterRunStatus.SUCCESS)
        assert night.tick() == done
        assert night.tick() is None
    assert [asset.to_user_string() for asset in defs.resolve_job_def("training").asset_layer.executable_asset_keys] == [
        "recommender"
    ]
    assert defs.resolve_job_def("training").tags[QUEUE] == TRAINING


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED])
def test_tables_that_others_report_as_made_start_no_training_while_the_rebuild_has_not_succeeded(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    """A refresh that ends, and marts that are confirmed as fresh without a run, after 02:00."""
    night = Night(instance)
    night.run("rebuild", dg.DagsterRunStatus.SUCCESS)
    assert night.tick() is not None
    night.run("rebuild", status)
    for asset in ("fct_orders", "online_features", *PARENTS):
        instance.report_runless_asset_event(dg.AssetMaterialization(asset))
    night.run("refresh", dg.DagsterRunStatus.SUCCESS)
    night.run("everything", dg.DagsterRunStatus.SUCCESS)

    assert night.tick() is None
    assert Rollout(instance).tick() == set()


class Rollout:
    """Ticks of the automation sensor, each a minute after the one before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self._now = instance, datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
        self._cursor: AssetDaemonCursor | None = None

    def make(self, *assets: str) -> None:
        for name in assets:
            self._instance.report_runless_asset_event(dg.AssetMaterialization(name))

    def check(self, *, passed: bool) -> None:
        check = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("online_features"),
            check_name="online_equals_offline",
            passed=passed,
            metadata={},
            blocking=True,
        )
        self._instance.report_runless_asset_event(check)

    def tick(self) -> set[str]:
        """Names of the assets that the tick asks for."""
        self._now += timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            defs,
            self._instance,
            asset_selection=dg.AssetSelection.groups("training", "serving"),
            evaluation_time=self._now,
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        return {name for name in ("recommender", "champion") if result.get_num_requested(dg.AssetKey(name))}


@pytest.fixture
def rollout(instance: dg.DagsterInstance) -> Rollout:
    found = Rollout(instance)
    found.make("online_features", *PARENTS)
    found.check(passed=True)
    assert found.tick() == set()
    return found


def test_the_champion_follows_the_recommender(rollout: Rollout) -> None:
    rollout.make("recommender")

    assert rollout.tick() == {"champion"}
    assert rollout.tick() == set()


def test_refreshes_start_no_rollout(rollout: Rollout) -> None:
    rollout.make("online_features", *PARENTS)
    rollout.check(passed=True)

    assert rollout.tick() == set()


def test_redis_that_is_not_parquet_starts_no_rollout(rollout: Rollout) -> None:
    rollout.make("recommender")
    rollout.check(passed=False)

    assert rollout.tick() == set()
