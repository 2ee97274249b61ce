"""Marts by changed key: on random histories they equal the same SQL run in full, row by row; mutants do not."""

import copy
import json
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.columns import MODELS
from orchestration.graph.dbt_graph import read_project
from orchestration.graph.dbt_results import refreshed_marts
from tests.harness.closed_days import closed_days, open_day
from tests.harness.lake_history import KINDS, LakeHistory, RandomChanges
from tests.harness.quick import few
from tests.integration.conftest import BuiltMarts, transform_settings
from transforms import publish_marts
from transforms.dbt_project import load_manifest
from transforms.errors import RefreshFailed, StateUnusable
from transforms.incremental import engine, state
from transforms.incremental.changes import Delta
from transforms.incremental.features import advance_features
from transforms.incremental.follow import Follower, read_report
from transforms.incremental.plan import Plan, declared, load_plan
from transforms.incremental.refresh import advance, published_watermark, refresh
from transforms.incremental.state import locked, opened
from transforms.marts import build, prepare
from transforms.publish import connect
from transforms.settings import DBT_PROJECT, TransformSettings
from warehouse.lake.lsn import format_lsn

_FEW = ("order", "order", "cancel", "ask_return", "refund", "retitle", "move_product", "reserve", "look", "erase_order")


@pytest.fixture
def history(built_marts: BuiltMarts, tmp_path: Path) -> LakeHistory:
    return copy_of(built_marts, tmp_path)


def copy_of(built: BuiltMarts, home: Path) -> LakeHistory:
    """The state, the marts and the lake of the session's build in a folder of their own."""
    for name in ("lake", "marts"):
        shutil.copytree(built.settings.home / name, home / name)
    return LakeHistory(home / "lake", copy.deepcopy(built.shop), built.watermark)


def _index(home: Path) -> None:
    """Index the state as a build does it that of a large shop."""
    settings_ = transform_settings(home)
    with (
        patch.object(state, "_INDEX_ROWS", 0),
        patch.object(state, "_ROWS_PER_VALUE", 10**9),
        connect(settings_.state_path) as con,
    ):
        state._index(con, load_plan(con), settings_)  # noqa: SLF001 - a build's own step
        assert con.execute("SELECT count(*) > 20 FROM duckdb_indexes()").fetchall() == [(True,)]


def test_refreshed_tables_equal_a_full_run_of_the_same_sql(history: LakeHistory, tmp_path: Path) -> None:
    _index(tmp_path)
    changes = RandomChanges(history.shop, random.Random(3), history.mark.commit_ts)

    for step in ((*KINDS,), _FEW):
        for kind in step:
            changes.make(kind)
        history.commit(seconds=90_000)

        assert _wrong(history, tmp_path) == {}


@pytest.mark.slow
def test_rows_that_are_only_in_the_hot_log_are_refreshed_too(history: LakeHistory, tmp_path: Path) -> None:
    changes = RandomChanges(history.shop, random.Random(4), history.mark.commit_ts)
    for _ in range(2):
        for kind in _FEW:
            changes.make(kind)
        before = len(history.shop.rows["orders"])
        history.commit_hot()

        assert _wrong(history, tmp_path) == {}
        with connect(transform_settings(tmp_path).state_path, read_only=True) as con:
            assert con.execute("SELECT count(*) FROM main.fct_orders").fetchall() == [(before,)]


@pytest.mark.slow
def test_what_a_product_sells_after_it_moved_counts_for_its_new_seller_only(
    history: LakeHistory, tmp_path: Path
) -> None:
    shop, now = history.shop, history.mark.commit_ts
    variant, product = (str(shop.rows["product_variants"][0][name]) for name in ("variant_id", "product_id"))
    moved = shop.rows["products"][0]
    first, second = (
        moved["seller_id"],
        next(str(row["seller_id"]) for row in shop.rows["sellers"] if row["seller_id"] != moved["seller_id"]),
    )
    shop.add_order([(product, variant, str(first), 3, "5.00")], now)
    moved["seller_id"] = second
    history.commit()
    assert _wrong(history, tmp_path) == {}
    shop.add_order([(product, variant, second, 2, "5.00")], now)
    history.commit()

    assert _wrong(history, tmp_path) == {}
    with connect(transform_settings(tmp_path).state_path, read_only=True) as con:
        stock = con.execute("SELECT seller_id, units_30d FROM main.mart_seller__stock WHERE variant_id = ?", [variant])
        found = stock.fetchall()
        sold = con.execute(
            "SELECT seller_id, sum(quantity) FROM main.fct_order_items WHERE variant_id = ? AND NOT is_cancelled AND"
            " order_date > ? GROUP BY ALL",
            [variant, (now - timedelta(days=30)).date()],
        ).fetchall()
    assert found == [(second, 2)]
    assert dict(sold)[second] == 2
    assert dict(sold)[first] >= 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(
    steps=st.lists(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=30), min_size=1, max_size=4),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_refreshed_tables_equal_a_full_run_on_any_history(
    built_marts: BuiltMarts, tmp_path_factory: pytest.TempPathFactory, steps: list[list[str]], seed: int
) -> None:
    home = tmp_path_factory.mktemp("any")
    history = copy_of(built_marts, home)
    _index(home)
    changes = RandomChanges(history.shop, random.Random(seed), history.mark.commit_ts)

    for step in steps:
        for kind in step:
            changes.make(kind)
        history.commit(seconds=changes.rng.choice([60.0, 40_000.0, 90_000.0]))
        assert _wrong(history, home) == {}
    shutil.rmtree(home)


def _without_old_keys(known: Callable[..., str]) -> Callable[..., str]:
    """A mutant that forgets the keys a row had before it changed."""

    def keys(model: object, plan: object, changed: list[tuple[object, Delta]]) -> str:
        return known(model, plan, [(parent, replace(delta, table=f"({delta.come()})")) for parent, delta in changed])

    return keys


def test_the_comparison_finds_a_refresh_that_forgets_old_keys(history: LakeHistory, tmp_path: Path) -> None:
    first = history.shop.rows["products"][0]
    first["seller_id"] = next(row for row in history.shop.rows["sellers"] if row["seller_id"] != first["seller_id"])[
        "seller_id"
    ]
    history.commit()

    with patch.object(engine, "_keys", _without_old_keys(engine._keys)):  # noqa: SLF001 - a mutant
        assert {"dim_seller"} <= set(_wrong(history, tmp_path))


def test_the_comparison_finds_a_link_that_is_missing(history: LakeHistory, tmp_path: Path) -> None:
    changes = RandomChanges(history.shop, random.Random(3), history.mark.commit_ts)
    for kind in ("ask_return", "refund", "rename_category") * 4:
        changes.make(kind)
    history.commit()

    deaf = partial(without_parent, child="mart_seller__sales_day", parent="int_returns__booked")
    assert set(_wrong(history, tmp_path, deaf)) == {"mart_seller__sales_day"}


def without_parent(plan: Plan, child: str, parent: str) -> Plan:
    """A mutant: the model hears of changes only through its other parents."""
    heard = [(one, tuple(p for p in one.parents if one.name != child or p.name != parent)) for one in plan.models]
    return replace(plan, models=tuple(replace(one, parents=parents) for one, parents in heard))


def test_a_change_that_no_mart_reads_changes_no_row(history: LakeHistory, tmp_path: Path) -> None:
    history.shop.rows["products"][0]["updated_at"] = history.mark.commit_ts
    history.commit()
    settings_ = transform_settings(tmp_path)

    assert refresh(settings_, always=False).published is False
    assert set(refresh(settings_).rows) == {
        "products",
        "watermark",
        "stg_build__watermark",
        "int_build__watermark",
        "mart_watermark",
    }


@pytest.mark.slow
def test_a_broken_rule_on_a_changed_key_stops_the_refresh_and_the_marts_stay(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_ = transform_settings(tmp_path)
    before = settings_.marts_path.read_bytes()
    history.shop.rows["products"][0]["base_price"] = -1
    history.commit()

    with pytest.raises(RefreshFailed, match="dim_product"):
        refresh(settings_)

    assert settings_.marts_path.read_bytes() == before
    history.shop.rows["products"][0]["base_price"] = 1
    history.commit()
    assert refresh(settings_).published
    assert _wrong(history, tmp_path) == {}


def test_a_state_of_other_models_or_another_lake_is_not_refreshed(history: LakeHistory, tmp_path: Path) -> None:
    history.commit()
    settings_ = transform_settings(tmp_path)
    with connect(settings_.state_path) as con:
        con.execute("UPDATE refresh.position SET project = 'other'")

    with pytest.raises(StateUnusable, match="models or the contract"):
        refresh(settings_)
    with pytest.raises(StateUnusable, match="nothing was built"):
        refresh(transform_settings(tmp_path / "new").model_copy(update={"lake_uri": settings_.lake_uri}))


@pytest.mark.parametrize("table_rows", few([0, 600_000], 1))
def test_the_published_marts_are_the_states_and_an_open_reader_keeps_its_own(
    history: LakeHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table_rows: int
) -> None:
    """As tables of the published file, and as views over base files."""
    monkeypatch.setattr(publish_marts, "_TABLE_ROWS", table_rows)
    monkeypatch.setattr(publish_marts, "_VIEW_ROWS", 0)
    settings_ = transform_settings(tmp_path)
    before = connect(settings_.marts_path, read_only=True)
    old = before.execute("SELECT count(*), sum(total) FROM fct_orders").fetchall()
    settings_.marts_path.unlink()  # a file that is there is changed, not made anew
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)
    for rows in (20_000, 0):  # the second time every mart that changed gets a new base file
        for kind in (*_FEW, "erase_order", "order"):
            changes.make(kind)
        history.commit()
        with (
            patch.object(publish_marts, "_OVERLAY_ROWS", rows),
            patch.object(publish_marts, "_OVERLAY_SHARE", 10**9 if rows == 0 else 50),
        ):
            done = refresh(settings_)

        assert done.published
        assert _unlike_state(settings_) == {}
        assert before.execute("SELECT count(*), sum(total) FROM fct_orders").fetchall() == old
    before.close()  # DuckDB gives a second connection of the process the file that the first one has open
    with connect(settings_.marts_path, read_only=True) as con:
        assert con.execute("SELECT lsn FROM mart_watermark").fetchall() == [(history.mark.lsn,)]
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert (("fct_orders",) in views) is (table_rows == 0)
        assert con.execute("SELECT count(*) FROM fct_orders").fetchall() == [(len(history.shop.rows["orders"]),)]


@pytest.mark.slow
def test_base_files_go_an_hour_after_the_state_stopped_naming_them(
    history: LakeHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_marts, "_TABLE_ROWS", 0)
    monkeypatch.setattr(publish_marts, "_VIEW_ROWS", 0)
    settings_ = transform_settings(tmp_path)
    settings_.marts_path.unlink()
    folder = settings_.marts_path.parent / "base"
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)

    def refresh_with_new_bases() -> set[Path]:
        changes.make("order")
        history.commit()
        with patch.object(publish_marts, "_OVERLAY_ROWS", 0), patch.object(publish_marts, "_OVERLAY_SHARE", 10**9):
            refresh(settings_)
        return set(folder.glob("fct_orders-*.parquet"))

    first, second = refresh_with_new_bases(), refresh_with_new_bases()
    retired = json.loads((folder / "retired.json").read_text())
    (folder / "retired.json").write_text(json.dumps(dict.fromkeys(retired, 0.0)))
    third = refresh_with_new_bases()

    assert first < second
    assert len(third - second) == 1
    assert first & third == set()


def test_a_refresh_that_ended_before_it_was_published_is_published_by_the_next(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_ = transform_settings(tmp_path)
    RandomChanges(history.shop, random.Random(5), history.mark.commit_ts).make("order")
    history.commit()
    with (
        patch("transforms.incremental.refresh.publish_marts", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        refresh(settings_)
    assert published_watermark(settings_.marts_path) == "0/3E8"

    assert refresh(settings_, always=False).published
    assert published_watermark(settings_.marts_path) == format_lsn(history.mark.lsn)
    assert _unlike_state(settings_) == {}


@pytest.mark.slow
def test_a_published_file_that_is_damaged_or_of_another_state_is_made_anew(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_ = transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)
    for spoil in ("damage", "another state"):
        if spoil == "damage":
            settings_.marts_path.unlink()
            settings_.marts_path.write_bytes(b"half a file")
        else:
            with connect(settings_.state_path) as con:
                con.execute("UPDATE refresh.state SET id = 'another'")
        changes.make("order")
        history.commit()

        assert refresh(settings_).published
        assert published_watermark(settings_.marts_path) == format_lsn(history.mark.lsn)
        assert _unlike_state(settings_) == {}


def test_the_process_says_what_it_waits_for_what_fails_and_that_it_follows(
    history: LakeHistory, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings_ = transform_settings(tmp_path)
    empty = Follower(transform_settings(tmp_path / "empty"))
    empty.step()
    assert empty.report.state == "waiting for a build"

    follower = Follower(settings_)
    request.addfinalizer(follower.close)
    follower.step()
    assert read_report(settings_.marts_status_path)["state"] == "following"
    history.shop.rows["products"][0]["base_price"] = -1
    history.commit()
    follower.step()
    failed = read_report(settings_.marts_status_path)
    assert failed["state"] == "failed"
    assert "dim_product" in str(failed["needsBuild"])
    assert failed["behindSince"] is not None

    history.shop.rows["products"][0]["base_price"] = 1
    history.commit()
    follower.step()
    now = read_report(settings_.marts_status_path)
    assert (now["state"], now["behindSince"], now["needsBuild"], now["failingSince"]) == ("following", None, None, None)
    assert now["lsn"] == now["changedLsn"] == format_lsn(history.mark.lsn)


def test_the_process_keeps_the_state_open_until_another_one_wants_it(history: LakeHistory, tmp_path: Path) -> None:
    settings_ = transform_settings(tmp_path)
    follower = Follower(settings_)
    follower.step()
    got = threading.Event()

    def want() -> None:
        with locked(settings_):
            got.set()

    waiting = threading.Thread(target=want)
    waiting.start()
    assert not got.wait(0.2)  # a negative control: between two steps the state is taken
    follower.step()
    assert got.wait(10)
    waiting.join()
    RandomChanges(history.shop, random.Random(5), history.mark.commit_ts).make("order")
    history.commit()
    follower.step()
    follower.close()

    assert published_watermark(settings_.marts_path) == format_lsn(history.mark.lsn)
    assert _unlike_state(settings_) == {}


def test_every_model_of_a_mart_declares_how_it_is_refreshed(built_marts: BuiltMarts) -> None:
    nodes = load_manifest(built_marts.result.manifest)["nodes"].values()
    with connect(built_marts.settings.state_path, read_only=True) as con:
        plan = load_plan(con)
    kept = {model.name: model for model in (*plan.models, *plan.features)}

    silent = [
        node["name"]
        for node in nodes
        if node["name"] in kept and declared(node) is None and not kept[node["name"]].is_view
    ]
    whole = {model.name for model in kept.values() if not model.key and not model.is_view}

    assert silent == []
    small = {"int_shop__currency", "int_trading__days", "features_shop"}
    assert whole == {"int_build__watermark", "mart_watermark"} | small
    assert {model.name for model in plan.features if model.schema == "features"} == set(MODELS)
    assert refreshed_marts(read_project(DBT_PROJECT)) == {node.name for node in plan.published} - {"mart_watermark"}
    assert {mart.name for mart in plan.marts} - set(kept) == {
        path.stem for path in (DBT_PROJECT / "models/marts/behaviour").glob("*.sql")
    }
    assert {mart.name for mart in plan.marts if mart.name in kept and not kept[mart.name].tests} == set()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_full_build_finds_what_refreshes_did_wrong_and_never_takes_the_marts_back(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_ = transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(9), history.mark.commit_ts)
    earlier = history.mark
    for kind in KINDS:
        changes.make(kind)
    history.commit()
    refresh(settings_)

    assert build(settings_, earlier).comparison.differing == dict.fromkeys(_compared(settings_), 0)
    assert published_watermark(settings_.marts_path) == format_lsn(history.mark.lsn)
    assert _unlike_state(settings_) == {}

    with connect(settings_.state_path) as con:
        con.execute(
            "UPDATE main.dim_seller SET units = units + 1 WHERE seller_id = (SELECT min(seller_id) FROM dim_seller)"
        )
    found = build(settings_).comparison.differing
    assert {mart for mart, rows in found.items() if rows} == {"dim_seller"}
    assert build(settings_).comparison.differing == dict.fromkeys(_compared(settings_), 0)


def _compared(settings_: TransformSettings) -> set[str]:
    with connect(settings_.state_path, read_only=True) as con:
        return {node.name for node in load_plan(con).published} - {"mart_watermark"}


def _unlike_state(settings_: TransformSettings) -> dict[str, int]:
    """Mart -> rows that only one of the published file and the state holds."""
    found = {}
    with connect(settings_.state_path, read_only=True) as con:
        con.execute(f"ATTACH '{settings_.marts_path}' AS published (READ_ONLY)")
        for mart in load_plan(con).marts:
            if rows := _rows_of_one(con, f"FROM main.{mart.name}", f"FROM published.main.{mart.name}"):
                found[mart.name] = rows
    return found


def _wrong(history: LakeHistory, home: Path, change: Callable[[Plan], Plan] = lambda plan: plan) -> dict[str, int]:
    """Refresh to the newest watermark; model -> rows in which it differs from its SQL run on the whole lake.

    `closed days`: those that are not what they closed with.
    """
    settings_ = transform_settings(home)
    today = open_day(settings_.state_path)
    closed = closed_days(settings_.state_path, today)
    with locked(settings_) as path, opened(path, settings_, history.mark) as con:
        plan = load_plan(con)
        advance(con, change(plan), settings_, history.mark)
        advance_features(con, change(plan))
    oracle = _run_in_full(home, settings_, history, plan)
    with connect(oracle, read_only=True) as con:
        con.execute(f"ATTACH '{settings_.state_path}' AS state (READ_ONLY)")
        found = {}
        for model in (*plan.models, *plan.features):
            if model.is_view or "watermark" in model.name:
                continue
            full, ours = (f"FROM {model.relation.replace('souk', name, 1)}" for name in ("souk", "state"))
            if rows := _rows_of_one(con, full, ours):
                found[model.name] = rows
    oracle.unlink()
    changed = closed.items() ^ closed_days(settings_.state_path, today).items()
    return found | ({"closed days": len(changed)} if changed else {})


def _rows_of_one(con: duckdb.DuckDBPyConnection, one: str, other: str) -> int:
    """Rows that only one of two queries has."""
    sides = (f"(SELECT count(*) FROM ({a} EXCEPT ALL {b}))" for a, b in ((one, other), (other, one)))
    row = con.execute(f"SELECT {' + '.join(sides)}").fetchone()
    return int(row[0]) if row else 0


def _run_in_full(home: Path, settings_: TransformSettings, history: LakeHistory, plan: Plan) -> Path:
    """Every model's SQL in order, on the lake's own views, in a new file."""
    file = home / "oracle" / "souk.duckdb"
    file.parent.mkdir(exist_ok=True)
    prepare(file, settings_.lake_uri, history.mark, datetime.now(UTC))
    with connect(file) as con:
        con.execute(f"ATTACH '{settings_.state_path}' AS state (READ_ONLY)")
        for table in ("withheld", "corrections"):
            con.execute(f"INSERT INTO build.{table} FROM state.build.{table}")
        con.execute("DETACH state")
        models = (*plan.models, *plan.features)
        for schema in {model.relation.split(".")[1] for model in models}:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for model in models:
            con.execute(f"CREATE {'VIEW' if model.is_view else 'TABLE'} {model.relation} AS {model.sql}")
    return file
