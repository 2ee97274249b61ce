"""A bad row in the middle of refreshes: status says so, a build withholds its key, and the marts go on without it."""

import random
from pathlib import Path

import pytest

from tests.harness.closed_days import corrections
from tests.harness.lake_history import LakeHistory, RandomChanges
from tests.integration.conftest import BuiltMarts, transform_settings, withhold_in_state
from tests.integration.transforms.test_incremental import _wrong, copy_of
from transforms.incremental.follow import Follower, read_report
from transforms.marts import build
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.lake.lsn import format_lsn

RULE = "the subtotal of a line is not quantity x price"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_marts_go_on_without_a_bad_order_until_it_is_mended(
    built_marts: BuiltMarts, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    history, settings = copy_of(built_marts, tmp_path), transform_settings(tmp_path)
    changes = RandomChanges(history.shop, random.Random(7), history.mark.commit_ts)
    follower = Follower(settings)
    request.addfinalizer(follower.close)
    follower.step()
    before, lsn = _published(settings)

    changes.make("order")
    line = history.shop.rows["order_items"][-1]
    line["quantity"] = int(str(line["quantity"])) + 1
    bad = str(line["order_id"])
    changes.make("order")
    history.commit()
    follower.step()
    report = read_report(settings.marts_status_path)

    assert report["state"] == "failed"
    assert "fct_order_items" in str(report["needsBuild"])
    assert report["failingSince"] is not None
    assert _published(settings) == (before, lsn)

    assert [(held.kind, held.key, held.rule) for held in build(settings).withheld] == [("order", bad, RULE)]
    follower.step()
    report = read_report(settings.marts_status_path)

    assert (report["state"], report["needsBuild"], report["failingSince"]) == ("following", None, None)
    assert _published(settings) == (_orders(history) - {bad}, format_lsn(history.mark.lsn))
    since = _withheld(settings)[0][1]
    assert _withheld(settings) == [(bad, since)]

    changes.make("order")
    history.commit()
    follower.step()

    assert _published(settings) == (_orders(history) - {bad}, format_lsn(history.mark.lsn))
    assert _withheld(settings) == [(bad, since)]
    assert read_report(settings.marts_status_path)["needsBuild"] is None

    line["quantity"] = int(str(line["quantity"])) - 1
    changes.make("order")
    history.commit()
    follower.step()
    report = read_report(settings.marts_status_path)

    assert (report["state"], f"order {bad}" in str(report["needsBuild"])) == ("following", True)
    assert _published(settings) == (_orders(history) - {bad}, format_lsn(history.mark.lsn))

    follower.close()  # as its loop does when the build asks for the state
    mended = build(settings)
    changes.make("order")
    history.commit()
    follower.step()

    assert mended.withheld == ()
    assert mended.comparison.skipped == "the build withholds other keys than the refreshes did"
    assert _published(settings) == (_orders(history), format_lsn(history.mark.lsn))
    assert _withheld(settings) == []
    assert read_report(settings.marts_status_path)["needsBuild"] is None


@pytest.mark.slow
def test_orders_of_a_withheld_product_or_seller_are_left_out_by_refreshes_too(
    built_marts: BuiltMarts, tmp_path: Path
) -> None:
    """Those that came after the build, and those of a product that a withheld seller gets then."""
    history = copy_of(built_marts, tmp_path)
    shop, settings_ = history.shop, transform_settings(tmp_path)
    seller = str(shop.rows["sellers"][0]["seller_id"])
    free = [row for row in shop.rows["products"] if row["seller_id"] != seller]
    held = str(free[0]["product_id"])
    withhold_in_state(settings_, [("product", held), ("seller", seller)])
    variants = {str(row["product_id"]): str(row["variant_id"]) for row in shop.rows["product_variants"]}

    placed = []
    for product in (free[0], free[1]):
        sold = (str(product["product_id"]), variants[str(product["product_id"])], str(product["seller_id"]), 1, "5.00")
        placed.append(shop.add_order([sold], history.mark.commit_ts)[0])
    history.commit()
    assert _wrong(history, tmp_path) == {}
    assert _withheld_of(settings_, placed) == [placed[0]]

    free[1]["seller_id"] = seller
    history.commit()
    assert _wrong(history, tmp_path) == {}
    assert _withheld_of(settings_, placed) == placed
    assert {row[-1] for row in corrections(settings_.state_path)} == {
        "withheld"
    }  # of days that had closed, with the product's orders of then


def _orders(history: LakeHistory) -> set[str]:
    return {str(row["order_id"]) for row in history.shop.rows["orders"]}


def _published(settings: TransformSettings) -> tuple[set[str], str]:
    """The orders of the published marts, which are the same in both facts, and their watermark."""
    with connect(settings.marts_path, read_only=True) as con:
        orders = {order for (order,) in con.execute("SELECT order_id FROM fct_orders").fetchall()}
        lines = {order for (order,) in con.execute("SELECT order_id FROM fct_order_items").fetchall()}
        ((lsn,),) = con.execute("SELECT lsn_text FROM mart_watermark").fetchall()
    assert orders == lines
    return orders, lsn


def _withheld(settings: TransformSettings) -> list[tuple[object, ...]]:
    """Every withheld order and since when it is."""
    with connect(settings.marts_path, read_only=True) as con:
        return con.execute("SELECT DISTINCT key, since FROM mart_withheld").fetchall()


def _withheld_of(settings_: TransformSettings, orders: list[str]) -> list[str]:
    """Those of the orders that the state names as withheld, and has in no mart."""
    with connect(settings_.state_path, read_only=True) as con:
        named = con.execute("SELECT DISTINCT key FROM main.mart_withheld WHERE kind = 'order'").fetchall()
        facts = con.execute("SELECT order_id FROM main.fct_orders INTERSECT SELECT order_id FROM main.fct_order_items")
        published = {order for (order,) in facts.fetchall()}
    found = [order for order in orders if (order,) in named]
    assert {order for order in orders if order in published} == set(orders) - set(found)
    return found
