"""Freshness: each published table has its tier's limit, and Dagster hears that marts are fresh as often as it needs."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from features.published import published
from orchestration.graph.assets.transforms import MODELS
from orchestration.graph.definitions import defs
from orchestration.graph.freshness import age_of, marts_confirmed, marts_position
from orchestration.graph.resources import Platform
from orchestration.graph.tiers import LIMITS, Tier, is_due, tier_of
from tests.harness.dagster_graph import freshness
from tests.integration.conftest import BuiltMarts
from warehouse.lake.behaviour import events_landed
from warehouse.lake.watermark import open_watermarks, write_watermark

PUBLISHED = {model.name: tier_of(model) for model in MODELS if tier_of(model)}


@pytest.fixture
def home(built_marts: BuiltMarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "home"
    shutil.copytree(built_marts.settings.home, copy, symlinks=True)
    monkeypatch.setenv("SOUK_HOME", str(copy))
    return copy


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def tick(instance: dg.DagsterInstance, cursor: dict[str, str] | None = None) -> tuple[set[str], dict[str, str]]:
    """One tick of the sensor: the assets it reported, and its cursor."""
    before = {name: _events(instance, name) for name in PUBLISHED}
    context = dg.build_sensor_context(
        instance=instance, cursor=json.dumps(cursor) if cursor else None, resources={"platform": Platform()}
    )
    marts_confirmed(context)
    return {name for name in PUBLISHED if _events(instance, name) > before[name]}, json.loads(context.cursor or "{}")


def _events(instance: dg.DagsterInstance, name: str) -> int:
    return len(instance.fetch_materializations(dg.AssetKey(name), limit=100).records)


def test_every_published_table_has_the_limit_of_its_tier() -> None:
    graph = defs.resolve_asset_graph()

    for model in MODELS:
        tier = tier_of(model)
        expected = f"at most {LIMITS[tier]} old" if tier else None
        assert freshness(graph.get(dg.AssetKey(model.name)).freshness_policy) == expected, model.name
    assert {name: str(limit) for name, limit in LIMITS.items()} == {
        "seller": "0:02:00",
        "analyst": "0:15:00",
        "ml": "1 day, 0:00:00",
    }
    assert PUBLISHED["mart_seller__sales_day"] == "seller"
    assert PUBLISHED["fct_orders"] == "analyst"
    assert PUBLISHED["features_user"] == "ml"


@pytest.mark.usefixtures("home")
def test_an_idle_shops_marts_are_reported_as_fresh_once_in_half_their_limit(instance: dg.DagsterInstance) -> None:
    note_events(instance)
    first, cursor = tick(instance)
    second, again = tick(instance, cursor)
    old = (datetime.now(UTC) - timedelta(seconds=61)).isoformat()
    third, _ = tick(instance, again | {Tier.SELLER: old})

    assert first == set(PUBLISHED)
    assert second == set()
    assert third == {name for name, tier in PUBLISHED.items() if tier == Tier.SELLER}


@pytest.mark.usefixtures("home")
def test_events_that_wait_for_a_refresh_are_not_reported_as_in_the_marts(instance: dg.DagsterInstance) -> None:
    behaviour = {model.name for model in MODELS if model.layer == "marts" and model.consumer == "behaviour"}

    assert tick(instance)[0] == set(PUBLISHED) - behaviour
    note_events(instance)
    assert tick(instance)[0] == set(PUBLISHED)
    assert behaviour


def note_events(instance: dg.DagsterInstance) -> None:
    """What a refresh records: it read every event that had landed."""
    figures = {"dagster/row_count": events_landed(Platform().warehouse.lake_uri)}
    instance.report_runless_asset_event(dg.AssetMaterialization("behaviour_events", metadata=figures))


def test_marts_that_lack_a_change_for_too_long_are_not_reported(
    home: Path, built_marts: BuiltMarts, instance: dg.DagsterInstance
) -> None:
    """The built marts are weeks old; an order that they do not have makes them so for every tier."""
    mark = built_marts.watermark
    versions = {**mark.versions, "orders": replace(mark.versions["orders"], changed_lsn=2_000)}
    write_watermark(open_watermarks(str(home / "lake")), replace(mark, lsn=2_000, versions=versions))
    os.utime(published(Platform().features), (0, 0))  # built in 1970

    assert tick(instance)[0] == set()
    marts, newest = marts_position(Platform().transforms.marts_path), Platform().watermark()
    assert marts is not None
    assert newest is not None
    assert age_of(marts, newest, Platform(), mark.commit_ts + timedelta(seconds=90)) == timedelta(seconds=90)


def test_before_the_first_build_nothing_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))

    assert tick(instance) == (set(), {})


def test_a_report_is_due_before_the_limit_passes_whatever_tick_it_falls_on() -> None:
    now = datetime.now(UTC)
    for limit in LIMITS.values():
        ticks = [timedelta(seconds=30 * number) for number in range(int(limit / timedelta(seconds=30)) + 1)]
        assert next(after for after in ticks if is_due(now - after, limit, now)) <= limit / 2
        assert not is_due(now, limit, now)
