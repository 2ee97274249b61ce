"""When training starts by itself: after the nightly rebuild, when the marts' blocking checks hold, and never else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

from orchestration.graph.definitions import defs

NIGHT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PARENTS = (
    "fct_order_items",
    "dim_product",
    "features_product",
    "features_user",
    "features_shop",
    "interaction_sequences",
)


class Evening:
    """Ticks of the automation sensor from an hour before the rebuild, each a minute after the one before."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance, self._now = instance, NIGHT - timedelta(hours=1)
        self._cursor: AssetDaemonCursor | None = None

    def reach_two_o_clock(self) -> None:
        self._now = NIGHT

    def make(self, *assets: str) -> None:
        for name in assets:
            self._instance.report_runless_asset_event(dg.AssetMaterialization(name))

    def check(self, *, passed: bool) -> None:
        for asset, name in (("fct_orders", "totals_equal_lake"), ("online_features", "online_equals_offline")):
            self._instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(asset), check_name=name, passed=passed, metadata={}, blocking=True
                )
            )

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
def evening() -> Iterator[Evening]:
    with dg.DagsterInstance.ephemeral() as instance:
        found = Evening(instance)
        found.make("fct_orders", "online_features", *PARENTS)
        found.check(passed=True)
        assert found.tick() == set()
        yield found


def test_training_follows_the_rebuild_and_the_champion_follows_in_the_same_run(evening: Evening) -> None:
    evening.reach_two_o_clock()
    assert evening.tick() == set()
    evening.make("fct_orders", "online_features", *PARENTS)
    evening.check(passed=True)

    assert evening.tick() == {"recommender", "champion"}
    assert evening.tick() == set()


def test_refreshes_during_the_day_start_no_training(evening: Evening) -> None:
    evening.make("fct_orders", "online_features", *PARENTS)
    evening.check(passed=True)

    assert evening.tick() == set()


def test_a_rebuild_that_is_not_over_starts_no_training(evening: Evening) -> None:
    evening.reach_two_o_clock()
    evening.make(*PARENTS[:-1])

    assert evening.tick() == set()


def test_marts_whose_totals_are_not_the_lakes_start_no_training(evening: Evening) -> None:
    evening.reach_two_o_clock()
    evening.make("fct_orders", "online_features", *PARENTS)
    evening.check(passed=False)

    assert evening.tick() == set()
