"""What several integration tests share because it is costly: one built set of marts and features."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.harness.synthetic_events import Event, land, random_events
from tests.harness.synthetic_lake import START, Row, SyntheticShop, random_shop, write_lake, write_pairs
from transforms.incremental.plan import load_plan
from transforms.marts import BuildResult, build
from transforms.publish import connect
from transforms.settings import TransformSettings
from warehouse.lake.read import Watermark


@dataclass(frozen=True)
class BuiltMarts:
    """A random shop and its behaviour events, the lake they were written to, the pairs of an earlier Spark run (LSN
    900), and what one build made of it all."""

    shop: SyntheticShop
    events: list[Event]
    watermark: Watermark
    pairs: list[Row]
    settings: TransformSettings
    result: BuildResult


def transform_settings(home: Path) -> TransformSettings:
    """Settings of a state directory of its own."""
    return TransformSettings(home=home)


def withhold_in_state(settings: TransformSettings, keys: list[tuple[str, str]]) -> None:
    """The state as a build leaves it that withholds these keys."""
    withhold_in(settings.state_path, keys)


def withhold_in(state: Path, keys: list[tuple[str, str]]) -> None:
    """The same for any file."""
    with connect(state) as con:
        con.execute("DELETE FROM build.withheld")
        for kind, key in keys:
            con.execute("INSERT INTO build.withheld VALUES (?, ?, 'a rule', now())", [kind, key])
        plan = load_plan(con)
        for model in (*plan.models, *plan.features):
            if not model.is_view:
                con.execute(f"DELETE FROM {model.relation}")
                con.execute(f"INSERT INTO {model.relation} {model.sql}")


@pytest.fixture(scope="session")
def built_marts(tmp_path_factory: pytest.TempPathFactory) -> BuiltMarts:
    """Built once a session; tests read it and change nothing. A test that publishes again copies the home first."""
    home = tmp_path_factory.mktemp("marts")
    settings = transform_settings(home)
    shop = random_shop(7)
    # mid-day, so that the newest day is unfinished
    as_of = START + timedelta(days=58, hours=13, minutes=30)
    mark = write_lake(home / "lake", shop.rows, lsn=1_000, as_of=as_of)
    pairs = write_pairs(home / "lake", shop.rows, lsn=900)
    events = random_events(shop, 7, as_of)
    land(home / "lake", events, as_of)
    return BuiltMarts(shop, events, mark, pairs, settings, build(settings))
