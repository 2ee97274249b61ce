"""What the graph's parts do: the sensor, the totals, dbt's outcomes per model, waiting for the lake, continuing a
failed run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import duckdb
import pytest

from orchestration.graph import pipeline, sensors
from orchestration.graph.assets import transforms
from orchestration.graph.checks.transforms import compare_totals
from orchestration.graph.dbt_graph import read_project
from orchestration.graph.dbt_results import read_outcomes
from orchestration.graph.dead_runs import fail_dead_runs
from orchestration.graph.definitions import defs
from orchestration.graph.lake_position import LakeBehind, reach_source
from orchestration.graph.resources import Platform
from orchestration.graph.sensors import behaviour_landed, lake_moved, marts_sources
from orchestration.graph.tiers import LIMITS, Tier
from tests.harness.souk import ROOT
from tests.integration.conftest import BuiltMarts, transform_settings
from warehouse.contract import load_contract
from warehouse.lake.behaviour import ensure_events
from warehouse.lake.watermark import open_watermarks, write_watermark
from warehouse.settings import WarehouseSettings

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def home(built_marts: BuiltMarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built state directory that a test may change, named by the environment as in production."""
    copy = tmp_path / "home"
    shutil.copytree(built_marts.settings.home, copy, symlinks=True)
    for name in ("SOUK_LAKE_URI", "SOUK_MARTS_PATH", "SOUK_DBT_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SOUK_HOME", str(copy))
    return copy


Ask = Callable[[str | None], dg.RunRequest | dg.SkipReason]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """One tick of the sensor with a cursor."""
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None) -> dg.RunRequest | dg.SkipReason:
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": Platform()})
            answer = lake_moved(context)
            assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
            return answer

        yield tick


def test_the_sensor_starts_nothing_before_the_first_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))

    assert isinstance(ask(None), dg.SkipReason)


def test_the_sensor_is_silent_while_the_marts_are_as_new_as_the_lake(home: Path, ask: Ask) -> None:
    assert isinstance(ask(None), dg.SkipReason)


def test_the_sensor_asks_once_for_a_change_that_the_marts_do_not_have(
    home: Path, built_marts: BuiltMarts, ask: Ask
) -> None:
    mark = built_marts.watermark
    versions = {**mark.versions, "orders": replace(mark.versions["orders"], changed_lsn=1_500)}
    write_watermark(open_watermarks(str(home / "lake")), replace(mark, lsn=2_000, versions=versions))

    asked = ask(None)

    assert isinstance(asked, dg.RunRequest)
    assert isinstance(ask(asked.run_key), dg.SkipReason)


def test_events_that_landed_start_one_refresh_and_nothing_else_of_their_table_does(
    home: Path, built_marts: BuiltMarts
) -> None:
    def ask(cursor: str | None) -> dg.RunRequest | dg.SkipReason:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": Platform()})
            answer = behaviour_landed(context)
        assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
        return answer

    events = str(len(built_marts.events))
    asked = ask(None)
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags["souk/behaviour"] == events
    assert isinstance(ask(events), dg.SkipReason)

    table = ensure_events(home / "lake")
    table.optimize.compact()
    table.vacuum(retention_hours=24, dry_run=False, enforce_retention_duration=False, full=True)
    assert isinstance(ask(events), dg.SkipReason)


def test_the_sensor_leaves_the_marts_to_refreshes_by_key_while_those_follow(
    home: Path, built_marts: BuiltMarts, ask: Ask
) -> None:
    mark, status = built_marts.watermark, transform_settings(home).marts_status_path
    versions = {**mark.versions, "orders": replace(mark.versions["orders"], changed_lsn=1_500)}
    write_watermark(open_watermarks(str(home / "lake")), replace(mark, lsn=2_000, versions=versions))
    features = (home / "features" / "current").resolve()
    os.utime(features)
    now = datetime.now(UTC)

    def report(state: str, at: datetime, needs_build: str | None = None) -> None:
        status.parent.mkdir(exist_ok=True)
        status.write_text(json.dumps({"state": state, "updatedAt": at.isoformat(), "needsBuild": needs_build}))

    report("following", now)
    assert isinstance(ask(None), dg.SkipReason)
    for state, age in (("failed", 0), ("waiting for a build", 0), ("following", 120)):
        report(state, now - timedelta(seconds=age))
        assert isinstance(ask(None), dg.RunRequest), state
    report("following", now, "withheld rows have changed")
    assert isinstance(ask(None), dg.RunRequest)
    report("following", now)
    os.utime(features, (0, 0))
    assert isinstance(ask(None), dg.RunRequest)


def ended(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    """A run of `refresh` that is over; returns its id."""
    return instance.add_run(dg.DagsterRun(job_name="refresh", run_id=str(uuid4()), status=status)).run_id


def timed(instance: dg.DagsterInstance, run_id: str, **at: float) -> None:
    """Give a run its times by its events, as a run that works does."""
    for kind, seconds in at.items():
        event = dg.DagsterEvent(event_type_value=dg.DagsterEventType[kind].value, job_name="refresh")
        instance.report_dagster_event(event, run_id, timestamp=seconds)


def test_a_build_for_events_rests_after_the_last_good_one_for_nine_times_its_seconds() -> None:
    def at(seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    with dg.DagsterInstance.ephemeral() as instance:
        assert not sensors.rests(instance, at(1_000))
        run = ended(instance, dg.DagsterRunStatus.STARTING)
        timed(instance, run, RUN_START=1_000.0, RUN_SUCCESS=1_020.0)
        assert [sensors.rests(instance, at(1_020 + wait)) for wait in (0, 179, 180)] == [True, True, False]


def test_the_rest_ends_before_the_marts_of_events_are_older_than_analysts_may_see() -> None:
    limit = LIMITS[Tier.ANALYST].total_seconds()

    assert [sensors.rest_seconds(took) for took in (0, 20, 54, 100, 299, 400)] == [0, 180, 486, 400, 2, 0]
    for took in range(1, 300):
        assert sensors.rest_seconds(took) + (behaviour_landed.minimum_interval_seconds or 0) + 2 * took <= limit


Sensor = Callable[[dg.SensorEvaluationContext], object]


@pytest.mark.parametrize("sensor", [lake_moved, behaviour_landed], ids=lambda sensor: sensor.name)
def test_a_failed_refresh_is_tried_again_after_a_wait_that_grows(
    home: Path, built_marts: BuiltMarts, monkeypatch: pytest.MonkeyPatch, sensor: Sensor
) -> None:
    """Whatever has asked for it, and however often it failed."""
    mark = built_marts.watermark
    versions = {**mark.versions, "orders": replace(mark.versions["orders"], changed_lsn=1_500)}
    write_watermark(open_watermarks(str(home / "lake")), replace(mark, lsn=2_000, versions=versions))
    keys, waits, cursor = list[str | None](), list[str](), None
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None) -> tuple[object, str | None]:
            context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"platform": Platform()})
            return sensor(context), context.cursor

        for failure in range(4):
            with monkeypatch.context() as patched:
                patched.setattr(sensors, "_FIRST_WAIT", timedelta(0))
                asked, cursor = tick(cursor)
                assert isinstance(asked, dg.RunRequest), failure
                assert isinstance(tick(cursor)[0], dg.SkipReason)  # asked for and not ended
            keys.append(asked.run_key)
            for _ in range(20 if failure == 2 else 1):
                ended(instance, dg.DagsterRunStatus.CANCELED if failure % 2 else dg.DagsterRunStatus.FAILURE)
            waiting, same = tick(cursor)
            assert isinstance(waiting, dg.SkipReason)
            assert same == cursor
            waits.append(str(waiting.skip_message).split(";")[0])
        failures = sensors.Failures.of(instance)
        ended(instance, dg.DagsterRunStatus.SUCCESS)
        assert sensors.Failures.of(instance) == sensors.Failures(0)

    assert len(set(keys)) == 4
    assert waits == [f"{number} refreshes in a row failed" for number in (1, 2, 20, 20)]
    assert failures.again_at - failures.ended == timedelta(minutes=15)
    for count, seconds in ((1, 30), (2, 60), (5, 480), (6, 900), (20, 900)):
        later = sensors.Failures(count, "any", failures.ended).again_at
        assert later == failures.ended + timedelta(seconds=seconds)


def test_the_sensor_looks_at_the_shops_tables_and_not_at_sparks(home: Path) -> None:
    """A Spark run must not look like a change of the shop, although a model reads what it wrote."""
    parents = {parent for model in read_project(transform_settings(home).dbt_project) for parent in model.parents}

    tables = marts_sources(Platform())

    assert "co_purchase" in parents
    assert {"orders", "products", "return_events", "exchange_rates"} < tables
    assert "co_purchase" not in tables


def test_a_view_changes_no_table_that_the_marts_read(home: Path) -> None:
    """Views and units sold are counted in a table that is not published, and in no column of a published one."""
    contract = load_contract(transform_settings(home).contract_path)

    counted = {"view_count", "units_sold_90d"}
    assert "product_counters" not in contract.by_name
    assert [table.name for table in contract.tables if counted & set(table.names)] == []


def test_the_marts_totals_are_the_lakes_at_the_marts_own_watermark(home: Path) -> None:
    found = compare_totals(transform_settings(home))

    assert found.mart == found.lake
    assert found.lsn == 1_000
    assert sum(orders for orders, _ in found.mart.values()) > 100


def test_a_lost_order_is_seen_in_the_totals(home: Path) -> None:
    """The control of the test above."""
    settings = transform_settings(home)
    settings.marts_path.chmod(0o644)
    with duckdb.connect(str(settings.marts_path)) as con:
        con.execute("DELETE FROM fct_orders WHERE order_id = (SELECT min(order_id) FROM fct_orders)")

    found = compare_totals(settings)

    assert found.mart != found.lake


def test_every_tested_model_reports_its_tests_and_its_seconds(built_marts: BuiltMarts) -> None:
    outcomes = read_outcomes(built_marts.settings.dbt_target)

    for model in read_project(built_marts.settings.dbt_project):
        assert model.name in outcomes, model.name
        if model.tested:
            assert outcomes[model.name].tests > 0, model.name
            assert outcomes[model.name].failed == [], model.name


def test_a_refresh_reports_the_published_tables_of_a_whole_build(
    built_marts: BuiltMarts, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job selects a part of dbt's models; every one of its checks is evaluated."""
    monkeypatch.setattr(transforms, "build", lambda *_: built_marts.result)
    layer = defs.resolve_job_def("refresh").asset_layer
    models = {model.name for model in transforms.MODELS}
    selected = [key for key in layer.executable_asset_keys if key.to_user_string() in models]

    done = dg.materialize([transforms.dbt_build], selection=selected, resources={"platform": Platform()})

    made = {event.asset_key for event in done.asset_materializations_for_node("dbt_build")}
    checked = {evaluation.asset_check_key for evaluation in done.get_asset_check_evaluations()}
    assert made == set(selected)
    assert len(made) < len(models) / 2
    assert checked == {key for key in transforms.dbt_build.check_keys if key.asset_key in made}


def test_without_cdc_the_words_say_what_to_start(database_url: str, tmp_path: Path) -> None:
    settings = WarehouseSettings(database_url=database_url, home=tmp_path)

    with pytest.raises(LakeBehind, match="CDC never ran here"):
        reach_source(settings, start_seconds=0.5)


def toy(*, broken: list[str], made: list[str]) -> dg.Definitions:
    """a -> (b, c made together) -> d; a name in `broken` fails."""

    def work(name: str) -> None:
        made.append(name)
        if name in broken:
            raise ValueError(f"{name} is broken")

    @dg.asset
    def a() -> None:
        work("a")

    @dg.multi_asset(specs=[dg.AssetSpec("b", deps=["a"]), dg.AssetSpec("c", deps=["a"])])
    def pair() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult(asset_key="b")
        work("pair")
        yield dg.MaterializeResult(asset_key="c")

    @dg.asset(deps=["b", "c"])
    def d() -> None:
        work("d")

    @dg.asset_check(asset="d", blocking=True)
    def holds() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed="check" not in broken)

    return dg.Definitions(assets=[a, pair, d], asset_checks=[holds], jobs=[dg.define_asset_job("everything")])


def test_a_failed_run_is_continued_where_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, made = ["pair"], list[str]()
    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(pipeline, "open_instance", lambda: nullcontext(instance))
        definitions = toy(broken=broken, made=made)

        first = pipeline.run_pipeline(definitions=definitions)
        broken[:] = ["check"]
        second = pipeline.run_pipeline(definitions=definitions)
        broken[:] = []
        third = pipeline.run_pipeline(definitions=definitions)
        fourth = pipeline.run_pipeline(definitions=definitions)

    assert (first.success, first.resumed, first.failed) == (False, False, {"pair": "ValueError: pair is broken"})
    assert (second.success, second.resumed) == (False, True)
    assert "d:holds" in second.failed
    assert (third.success, third.resumed) == (True, True)
    assert (fourth.success, fourth.resumed) == (True, False)
    assert made == ["a", "pair", "pair", "d", "d", "a", "pair", "d"]


KILLED = """
import os, signal, sys
from pathlib import Path
from orchestration.graph import pipeline
from orchestration.graph.assets import transforms
from tests.integration.orchestration.test_runs import Deadly, toy

pipeline.run_pipeline(definitions=toy(broken=[], made=Deadly()))
"""


class Deadly(list[str]):
    """Kills the process as soon as the last asset begins."""

    def append(self, name: str) -> None:
        if name == "d":
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_failed_and_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    made: list[str] = []
    with dg.DagsterInstance.get() as instance:
        [left] = instance.get_runs()
        assert left.status == dg.DagsterRunStatus.STARTED

        result = pipeline.run_pipeline(definitions=toy(broken=[], made=made))

        again = instance.get_run_by_id(left.run_id)
        assert again is not None
        assert again.status == dg.DagsterRunStatus.FAILURE
    assert (result.success, result.resumed) == (True, True)
    assert made == ["d"]


def test_a_run_at_work_is_left_alone_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_POLL_SECONDS", 0.05)
    begun, told = threading.Event(), threading.Event()
    monkeypatch.setattr(
        pipeline.err, "print", lambda *words, **_: told.set() if "waiting for run" in str(words[0]) else None
    )
    order: list[str] = []

    @dg.op
    def work() -> None:
        begun.set()
        assert told.wait(60)
        order.append("first")

    @dg.job
    def busy() -> None:
        work()

    # Dagster captures a run's output by redirecting the process's own: two runs in one process disturb each other.
    quiet = {
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    }
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=quiet) as instance:
        monkeypatch.setattr(pipeline, "open_instance", lambda: nullcontext(instance))
        first = threading.Thread(target=lambda: busy.execute_in_process(instance=instance))
        first.start()
        assert begun.wait(60)
        assert fail_dead_runs(instance) == []
        assert pipeline.run_pipeline(definitions=toy(broken=[], made=order)).success
        first.join()
    assert order == ["first", "a", "pair", "d"]


def test_a_run_from_the_start_does_not_look_back(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, made = ["d"], list[str]()
    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(pipeline, "open_instance", lambda: nullcontext(instance))
        definitions = toy(broken=broken, made=made)
        pipeline.run_pipeline(definitions=definitions)

        again = pipeline.run_pipeline(definitions=definitions, from_start=True)

    assert not again.resumed
    assert made == ["a", "pair", "d"] * 2


def test_watermarks_differ_when_a_table_did(built_marts: BuiltMarts) -> None:
    from orchestration.graph.sensors import position_of

    mark = built_marts.watermark
    moved = replace(mark, versions={**mark.versions, "orders": replace(mark.versions["orders"], changed_lsn=1_500)})

    assert position_of(mark, {"orders"}) != position_of(moved, {"orders"})
    assert position_of(mark, {"products"}) == position_of(moved, {"products"})
