"""A sensor is asked when what it looks at has changed since its last tick, and now and then."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import dagster as dg
import pytest
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData

from orchestration.graph import gates
from orchestration.graph.definitions import defs
from orchestration.graph.gates import Busy, Gates
from orchestration.graph.tiers import LIMITS, Tier


def sensor(name: str = "alerts") -> RemoteSensor:
    found = Mock(spec=RemoteSensor)
    found.name = name
    return found


def state(ago: float, *, ended_well: bool = True, cursor: str | None = None) -> InstigatorState:
    """The sensor's last tick began so many seconds ago."""
    began = time.time() - ago
    data = SensorInstigatorData(
        last_tick_timestamp=began,
        last_tick_start_timestamp=began,
        last_tick_success_timestamp=began if ended_well else None,
        cursor=cursor,
    )
    return Mock(spec=InstigatorState, instigator_data=data)


class Signs:
    """What a sensor looks at."""

    def __init__(self) -> None:
        self.now: object = 1

    def ask(self, _: SensorInstigatorData) -> object:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


@pytest.fixture
def signs() -> Signs:
    return Signs()


@pytest.fixture
def asked(signs: Signs) -> Gates:
    made = Gates(Mock(spec=dg.DagsterInstance))
    made._signs["alerts"] = signs.ask  # noqa: SLF001 - instead of Postgres
    return made


def ticked(asked: Gates) -> None:
    """A tick that has seen the signs of now."""
    assert not asked.closed(state(31), sensor())
    assert not asked.closed(state(31), sensor()), "asked again before the tick"
    assert asked.closed(state(-0.01), sensor())


def test_a_gate_is_closed_until_the_signs_change_and_a_tick_has_seen_it(asked: Gates, signs: Signs) -> None:
    ticked(asked)
    signs.now = 2
    ticked(asked)
    signs.now = 1
    ticked(asked)


def test_a_tick_that_failed_is_repeated(asked: Gates) -> None:
    ticked(asked)
    assert not asked.closed(state(-0.01, ended_well=False), sensor())


@pytest.mark.parametrize("why", [Busy(), OSError("no server")])
def test_while_a_run_is_at_work_or_the_signs_are_not_known_it_is_open(
    asked: Gates, signs: Signs, why: Exception
) -> None:
    ticked(asked)
    signs.now = why
    assert not asked.closed(state(-0.01), sensor())


def test_after_a_run_one_more_tick_sees_the_end(asked: Gates, signs: Signs) -> None:
    ticked(asked)
    signs.now = Busy()
    assert not asked.closed(state(-0.01), sensor())
    signs.now = 1
    ticked(asked)


def test_it_is_opened_now_and_then(asked: Gates, monkeypatch: pytest.MonkeyPatch) -> None:
    ticked(asked)
    monkeypatch.setattr(gates, "LONGEST_SECONDS", 0.0)
    assert not asked.closed(state(0.01), sensor())


def test_another_sensor_has_no_gate(asked: Gates) -> None:
    for _ in range(2):
        assert not asked.closed(state(-0.01), sensor("behaviour_landed"))


def test_every_gate_is_a_sensors(asked: Gates) -> None:
    assert set(asked._signs) <= {one.name for one in defs.sensors or ()}  # noqa: SLF001 - a name that is wrong is silent


def test_marts_are_confirmed_when_a_tier_is_due() -> None:
    asked, now = Gates(Mock(spec=dg.DagsterInstance)), datetime.now(UTC)
    young = {tier: now.isoformat() for tier in LIMITS}
    old = young | {next(iter(LIMITS)): (now - timedelta(seconds=56)).isoformat()}

    def closed(cursor: Mapping[Tier, str] | None, ago: float = -0.01) -> bool:
        return asked.closed(state(ago, cursor=json.dumps(cursor) if cursor else None), sensor("marts_confirmed"))

    assert closed(young)
    assert closed(young | {next(iter(LIMITS)): (now - timedelta(seconds=50)).isoformat()})
    assert not closed(old)
    assert closed(young), "at once"
    assert not closed(None)
