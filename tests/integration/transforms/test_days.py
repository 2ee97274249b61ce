"""The facts by day: a backfilled month is the full build's month, and a file that is not is found."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import duckdb
import pytest

from orchestration.graph.assets.days import DAYS, fact_days
from orchestration.graph.day_files import days_changed, ranges
from orchestration.graph.resources import Platform
from tests.harness.synthetic_lake import START
from tests.integration.conftest import BuiltMarts, transform_settings, withhold_in_state
from transforms.days import FACTS, build_days, days_that_differ
from transforms.errors import BuildFailed
from transforms.incremental.refresh import refresh
from transforms.settings import TransformSettings

FEBRUARY = (date(2026, 2, 1), date(2026, 2, 28))


@pytest.fixture
def settings(built_marts: BuiltMarts, tmp_path: Path) -> TransformSettings:
    """A copy of the built state directory that a test may change."""
    copy = tmp_path / "home"
    shutil.copytree(built_marts.settings.home, copy, symlinks=True)
    return transform_settings(copy)


def difference(settings: TransformSettings, fact: str, days: tuple[date, date]) -> tuple[int, list[tuple[object, ...]]]:
    """How many rows the marts have in these days, and the rows that only one side has."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"ATTACH '{settings.marts_path}' AS published (READ_ONLY)")
        day = FACTS[fact]
        con.execute(f"CREATE TABLE mart AS SELECT * FROM published.{fact} WHERE {day} BETWEEN ? AND ?", list(days))
        con.execute(
            f"CREATE TABLE files AS FROM '{settings.days_folder / fact}/*.parquet' WHERE {day} BETWEEN ? AND ?",
            list(days),
        )
        shapes = [con.execute(f"DESCRIBE {name}").fetchall() for name in ("mart", "files")]
        assert [row[:2] for row in shapes[0]] == [row[:2] for row in shapes[1]]
        count = con.execute("SELECT count(*) FROM mart").fetchone()
        rows = con.execute("(FROM mart EXCEPT ALL FROM files) UNION ALL (FROM files EXCEPT ALL FROM mart)").fetchall()
    return (count[0] if count else 0), rows


def rewrite(file: Path, select: str) -> None:
    """Harm a day's file."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE day AS FROM '{file}'")
        con.execute(f"COPY (SELECT {select}) TO '{file}' (FORMAT parquet)")


def test_a_backfilled_month_equals_the_full_build(built_marts: BuiltMarts, settings: TransformSettings) -> None:
    built = build_days(settings, *FEBRUARY, built_marts.watermark)

    for fact in FACTS:
        rows, differing = difference(settings, fact, FEBRUARY)
        assert differing == [], fact
        assert rows == built.rows[fact] > 20, fact
        assert len(list((settings.days_folder / fact).glob("*.parquet"))) == 28, fact

    # the control: a row that one side lost is seen
    rewrite(settings.days_folder / "fct_orders" / "2026-02-04.parquet", "* FROM day OFFSET 1")

    assert len(difference(settings, "fct_orders", FEBRUARY)[1]) == 1


@pytest.mark.slow
def test_days_without_files_and_days_that_changed_are_named(
    built_marts: BuiltMarts, settings: TransformSettings
) -> None:
    first, last = START.date(), START.date() + timedelta(days=70)
    everything = days_that_differ(settings)
    build_days(settings, first, last, built_marts.watermark)
    assert days_that_differ(settings) == []

    changed = everything[3]
    rewrite(settings.days_folder / "fct_orders" / f"{changed}.parquet", "* REPLACE ('other' AS status) FROM day")

    assert days_that_differ(settings) == [changed]
    assert len(everything) > 30


@pytest.mark.slow
def test_files_leave_out_what_the_published_marts_leave_out(
    built_marts: BuiltMarts, settings: TransformSettings
) -> None:
    order, *_, last = built_marts.shop.rows["orders"]
    [line] = [row for row in built_marts.shop.rows["order_items"] if row["order_id"] == last["order_id"]][:1]
    days = [date.fromisoformat(str(row["created_at"])[:10]) for row in (order, last)]
    withhold_in_state(settings, [("order", str(order["order_id"])), ("product", str(line["product_id"]))])
    settings.marts_path.unlink()
    refresh(settings)

    for day in days:
        build_days(settings, day, day, built_marts.watermark)
    assert not {*days} & {*days_that_differ(settings)}

    # the control: files that leave nothing out are not what is published
    with patch("transforms.days.withhold_as_published"):
        for day in days:
            build_days(settings, day, day, built_marts.watermark)
    assert {*days} <= {*days_that_differ(settings)}


def test_before_the_first_full_build_there_is_no_sql_to_run(built_marts: BuiltMarts, tmp_path: Path) -> None:
    settings = TransformSettings(home=tmp_path, SOUK_LAKE_URI=built_marts.settings.lake_uri)

    with pytest.raises(BuildFailed, match="no full build has run yet"):
        build_days(settings, *FEBRUARY, built_marts.watermark)


def test_a_range_of_partitions_is_one_run(settings: TransformSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_HOME", str(settings.home))
    tags = {"dagster/asset_partition_range_start": "2026-02-03", "dagster/asset_partition_range_end": "2026-02-05"}
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([fact_days], instance=instance, resources={"platform": Platform()}, tags=tags)

        made = instance.get_materialized_partitions(dg.AssetKey(["days", "fct_orders"]))

    assert done.success
    assert made == {"2026-02-03", "2026-02-04", "2026-02-05"}
    assert sorted(path.stem for path in (settings.days_folder / "fct_orders").glob("*.parquet")) == sorted(made)


def tick(instance: dg.DagsterInstance) -> list[object]:
    """One tick of the sensor."""
    answer = days_changed(dg.build_sensor_context(instance=instance, resources={"platform": Platform()}))
    assert isinstance(answer, Iterator)
    return list(answer)


def test_the_sensor_asks_for_the_closed_days_that_differ(
    built_marts: BuiltMarts, settings: TransformSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_HOME", str(settings.home))
    with dg.DagsterInstance.ephemeral() as instance:
        [asked] = tick(instance)
        build_days(settings, START.date(), START.date() + timedelta(days=70), built_marts.watermark)
        [silent] = tick(instance)

    assert isinstance(asked, dg.RunRequest)
    assert asked.tags["dagster/asset_partition_range_start"] == START.date().isoformat()
    assert isinstance(silent, dg.SkipReason)


def test_days_a_week_apart_share_a_run() -> None:
    day = date(2026, 2, 1)
    near, far = day + timedelta(days=7), day + timedelta(days=15)

    assert ranges([day, near, far]) == [(day, near), (far, far)]
    assert ranges([]) == []
    assert DAYS.get_first_partition_key() == "2009-12-01"
