"""What a shopper just did counts without a build: the order's rows in the feature files and in Redis, and no others."""

import copy
import random
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pyarrow.parquet as pq
import pytest

from features.asof import StoredRows
from features.columns import MODELS
from features.follow import OnlineFollower
from features.materialise import materialise
from features.online import OnlineStore
from features.published import published, watermark
from features.settings import FeatureSettings
from orchestration.graph.feature_parity import compare_online
from tests.harness.bundles import write_features
from tests.harness.lake_history import LakeHistory, RandomChanges
from tests.integration.conftest import BuiltMarts, transform_settings
from tests.integration.transforms.test_incremental import _wrong
from transforms.errors import RefreshFailed
from transforms.incremental.features import FeaturesResult, follow_features
from transforms.incremental.follow import Follower, read_report
from transforms.incremental.plan import Plan
from transforms.incremental.refresh import published_watermark, refresh
from warehouse.lake.lsn import format_lsn

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def history(built_marts: BuiltMarts, tmp_path: Path) -> LakeHistory:
    for name in ("lake", "marts", "features"):
        shutil.copytree(built_marts.settings.home / name, tmp_path / name, symlinks=True)
    return LakeHistory(tmp_path / "lake", copy.deepcopy(built_marts.shop), built_marts.watermark)


def test_an_order_is_in_the_files_and_in_redis_without_a_build(
    history: LakeHistory, tmp_path: Path, redis_url: str
) -> None:
    settings = transform_settings(tmp_path)
    online = FeatureSettings(home=tmp_path, redis_url=redis_url, feast_registry_url=str(tmp_path / "registry.db"))
    first = materialise(online)
    user = next(str(row["user_id"]) for row in history.shop.rows["orders"] if row["user_id"])
    before = StoredRows.read(published(online)).as_of("user", [user]).to_pylist()[0]
    products = {row["product_id"]: str(row["seller_id"]) for row in history.shop.rows["products"]}
    variant = history.shop.rows["product_variants"][0]
    line = (str(variant["product_id"]), str(variant["variant_id"]), products[variant["product_id"]], 1, "5.00")
    history.shop.add_order([line], history.mark.commit_ts, user)
    mark = history.commit(seconds=1)

    refresh(settings)
    done = follow_features(settings)
    follower = OnlineFollower(online)
    follower.step()

    after = StoredRows.read(published(online)).as_of("user", [user]).to_pylist()[0]
    assert (done.published, done.lsn_text) == (True, format_lsn(mark.lsn))
    assert set(done.rows) == {"features_product", "features_user", "features_user_history"}
    assert watermark(published(online)).lsn_text == format_lsn(mark.lsn)
    assert after["user__orders_total"] == before["user__orders_total"] + 1
    assert after["user__sequence"][-1] == line[0]
    last = follower.report["last"]
    assert isinstance(last, dict)
    assert (last["written"], last["removed"], last["full"]) == (3, 0, False)  # two rows of the shopper, the shop's
    assert follower.report["lsn"] == format_lsn(mark.lsn)
    assert first.full
    parity = compare_online(online, sample=10**6)
    assert parity.differing == []
    assert parity.compared > 100
    store = OnlineStore(redis_url)
    store.warm(240)
    row = store.read_user(user)
    store.close()
    assert row is not None
    assert row.sequence[-1] == line[0]


def test_the_published_files_hold_what_reads_need_of_the_state(history: LakeHistory, tmp_path: Path) -> None:
    """The newest rows in a file of their own are those that a read of the history finds."""
    settings = transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(2), history.mark.commit_ts)
    for kind in ("order", "order", "cancel", "restock", "list_product", "erase_order"):
        changes.make(kind)
    history.commit(seconds=200_000)
    refresh(settings)
    follow_features(settings)
    folder = published(FeatureSettings(home=tmp_path))

    stored = StoredRows.read(folder)

    for model in MODELS:
        newest = pq.read_table(folder / "newest" / f"{model}.parquet")
        found = stored.newest(model).select(newest.column_names)
        assert found.num_rows > 0
        assert found.cast(newest.schema).sort_by(newest.column_names[0]).equals(newest.sort_by(newest.column_names[0]))


def _renew(follower: Follower) -> None:
    """Begin, and see the end."""
    follower.step_features()
    follower.features.wait()
    follower.step_features()


@pytest.mark.slow
def test_the_process_of_the_marts_publishes_features_at_its_own_pace_and_says_so(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings = transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)
    follower = Follower(settings)
    folders = []
    for _ in range(2):
        changes.make("order")
        history.commit()
        follower.step()
        _renew(follower)
        folders.append((tmp_path / "features" / "current").resolve())

    assert folders[0] == folders[1]  # the second order waits until the pace allows it
    follower.features.due = 0.0  # instead of waiting
    with patch("transforms.incremental.follow.renew_features", side_effect=RefreshFailed(["features_user: 1 rows"])):
        _renew(follower)
    report = read_report(settings.marts_status_path)
    assert (report["state"], report["lsn"]) == ("following", format_lsn(history.mark.lsn))
    assert "features_user" in str(report["features"])

    changes.make("order")
    history.commit()
    follower.step()
    follower.features.due = 0.0
    _renew(follower)
    report = read_report(settings.marts_status_path)
    assert isinstance(report["features"], dict)
    assert report["features"]["lsn"] == format_lsn(history.mark.lsn)
    assert "error" not in report["features"]
    follower.close()


def test_before_the_first_build_and_without_redis_the_process_says_what_it_waits_for(tmp_path: Path) -> None:
    settings = FeatureSettings(home=tmp_path, redis_url="redis://127.0.0.1:1/0")

    follower = OnlineFollower(settings)
    with follower.status.beating():
        follower.step()
    follower.status.write()

    report = read_report(settings.online_status_path)
    assert report["state"] == "waiting for a build"
    assert "transforms.build" in str(report["error"])
    write_features(tmp_path)
    follower.step()
    report = read_report(settings.online_status_path)
    assert report["state"] == "failed"
    assert report["error"]


def test_the_comparison_finds_a_feature_that_does_not_hear_of_an_order(history: LakeHistory, tmp_path: Path) -> None:
    changes = RandomChanges(history.shop, random.Random(3), history.mark.commit_ts)
    for _ in range(4):
        changes.make("order")
    history.commit()

    def deaf(plan: Plan) -> Plan:
        models = [
            replace(model, parents=()) if model.name == "int_features__user_windows" else model
            for model in plan.features
        ]
        return replace(plan, features=tuple(models))

    assert set(_wrong(history, tmp_path, deaf)) == {"int_features__user_windows", "features_user"}


@pytest.mark.slow
def test_the_comparison_finds_a_running_sum_that_is_taken_for_a_row_by_row_map(
    history: LakeHistory, tmp_path: Path
) -> None:
    """The negative control of reading only the rows from the moment of the change on."""
    changes = RandomChanges(history.shop, random.Random(3), history.mark.commit_ts)
    for _ in range(4):
        changes.make("order")
    history.commit()

    def forgetful(plan: Plan) -> Plan:
        models = [
            replace(model, parents=tuple(replace(parent, row_by_row=bool(parent.at)) for parent in model.parents))
            for model in plan.features
        ]
        return replace(plan, features=tuple(models))

    assert {"int_features__product_windows", "features_product"} <= set(_wrong(history, tmp_path, forgetful))


@pytest.mark.slow
def test_orders_do_not_wait_for_features_and_a_build_does_not_either(history: LakeHistory, tmp_path: Path) -> None:
    settings = transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)
    begun, released = threading.Event(), threading.Event()

    def slow(con: duckdb.DuckDBPyConnection, *rest: Any) -> FeaturesResult:  # Any: as renew_features
        begun.set()
        assert released.wait(30)
        con.execute("SELECT sum(a.range + b.range) FROM range(10000000) AS a, range(10000000) AS b").fetchall()
        raise AssertionError("it was not interrupted")

    follower = Follower(settings)
    changes.make("order")
    history.commit()
    follower.step()
    with patch("transforms.incremental.follow.renew_features", slow):
        follower.step_features()
        assert begun.wait(30)
        changes.make("order")
        newest = history.commit()
        follower.step()
        assert published_watermark(settings.marts_path) == format_lsn(newest.lsn)
        released.set()
        follower.close()  # as when a build wants the state

    follower.step()
    _renew(follower)
    assert watermark(published(FeatureSettings(home=tmp_path))).lsn_text == format_lsn(newest.lsn)
    follower.close()


def test_features_that_were_recomputed_and_not_published_are_published_by_the_next_look(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings = transform_settings(tmp_path)
    RandomChanges(history.shop, random.Random(5), history.mark.commit_ts).make("order")
    mark = history.commit()
    refresh(settings)
    with (
        patch("transforms.incremental.features.publish_features", side_effect=OSError("the disk is full")),
        pytest.raises(OSError, match="the disk is full"),
    ):
        follow_features(settings)

    done = follow_features(settings)

    assert (done.published, done.rows) == (True, {})
    assert watermark(published(FeatureSettings(home=tmp_path))).lsn_text == format_lsn(mark.lsn)
