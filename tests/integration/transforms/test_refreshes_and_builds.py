"""Refreshes and full builds change one state in turn; the marts never go back, whatever is wrong with the other's."""

import random
import shutil
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.harness.lake_history import LakeHistory, RandomChanges
from tests.integration.conftest import BuiltMarts, transform_settings
from tests.integration.transforms.test_incremental import _compared, _unlike_state, copy_of
from transforms.incremental.follow import Follower
from transforms.incremental.plan import load_plan
from transforms.incremental.refresh import _meet, published_watermark, refresh
from transforms.incremental.state import locked
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.lake.lsn import format_lsn
from warehouse.lake.read import LakeStateError


@pytest.fixture
def history(built_marts: BuiltMarts, tmp_path: Path) -> LakeHistory:
    return copy_of(built_marts, tmp_path)


def test_changes_that_no_mart_reads_are_looked_at_at_the_pace_of_refreshes(
    history: LakeHistory, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A cart changes nothing in the marts; each look at it reads the whole log since the last kept position."""
    follower = Follower(transform_settings(tmp_path))
    request.addfinalizer(follower.close)
    follower.step()
    refreshes = follower.report.refreshes
    for _ in range(2):
        history.shop.rows["products"][0]["updated_at"] = history.mark.commit_ts
        history.commit()
        began = time.monotonic()
        wait = follower.step()

        assert wait > min(2.0 - (time.monotonic() - began) - 0.1, 0.3)
    assert follower.report.refreshes == refreshes
    assert follower.step() == 0.0, "nothing has moved: the next look is due when something does"


@pytest.mark.slow
def test_the_marts_never_go_back_whatever_is_wrong_with_the_state_of_before(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_, earlier = transform_settings(tmp_path), history.mark
    private = tmp_path / "private" / "souk.duckdb"
    private.parent.mkdir()
    shutil.copyfile(settings_.state_path, private)
    RandomChanges(history.shop, random.Random(5), history.mark.commit_ts).make("order")
    history.commit()
    refresh(settings_)
    with connect(settings_.state_path) as con:
        con.execute("DROP TABLE build.watermark CASCADE")

    with connect(private) as con, locked(settings_) as path:
        harmed = _meet(con, load_plan(con), settings_, path, earlier)
        lsn = con.execute("SELECT lsn FROM build.watermark").fetchall()
        settings_.state_path.unlink()
        missing = _meet(con, load_plan(con), settings_, path, earlier)

    assert (harmed.failed, "watermark" in str(harmed.skipped), harmed.differing) == (True, True, {})
    assert lsn == [(history.mark.lsn,)]
    assert (missing.failed, "nothing was built yet" in str(missing.skipped)) == (False, True)


@pytest.mark.slow
def test_where_history_has_expired_a_build_is_brought_to_the_newest_watermark(
    history: LakeHistory, tmp_path: Path
) -> None:
    settings_, earlier = transform_settings(tmp_path), history.mark
    private = tmp_path / "private" / "souk.duckdb"
    private.parent.mkdir()
    shutil.copyfile(settings_.state_path, private)
    changes = RandomChanges(history.shop, random.Random(5), history.mark.commit_ts)
    changes.make("order")
    history.commit()
    refresh(settings_)
    changes.make("order")
    history.commit()
    expired = patch("transforms.incremental.refresh.watermark_at", side_effect=LakeStateError("expired"))

    with expired, connect(private) as con, locked(settings_) as path:
        comparison = _meet(con, load_plan(con), settings_, path, earlier)
        lsn = con.execute("SELECT lsn FROM build.watermark").fetchall()

    assert lsn == [(history.mark.lsn,)]
    assert comparison.differing == dict.fromkeys(_compared(settings_), 0)


def test_the_published_file_may_have_any_name(history: LakeHistory, tmp_path: Path) -> None:
    settings_ = transform_settings(tmp_path)
    renamed = TransformSettings(home=tmp_path, marts_path=tmp_path / "marts" / "shop.duckdb")
    settings_.marts_path.rename(renamed.marts_path)
    RandomChanges(history.shop, random.Random(5), history.mark.commit_ts).make("order")
    history.commit()

    assert refresh(renamed).published
    assert published_watermark(renamed.marts_path) == format_lsn(history.mark.lsn)
    assert _unlike_state(renamed) == {}
