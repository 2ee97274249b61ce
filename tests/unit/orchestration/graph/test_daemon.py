"""Dagster's loops wait as long as `orchestration.graph.daemon` says, in one piece, and for a stop."""

import logging
import threading
from collections.abc import Iterator
from unittest.mock import Mock

import dagster as dg
import pytest
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon import asset_daemon, sensor
from dagster._daemon.daemon import DaemonIterator, IntervalDaemon
from dagster._grpc import server_watcher
from dagster._grpc.client import DagsterGrpcClient

from orchestration.graph import daemon

NOTHING = Mock(spec=IWorkspaceProcessContext)


class Waited(BaseException):
    """Ends a loop at a wait, also one that takes every Exception."""


class Recorded(threading.Event):
    """Waits for nothing and notes for how long it would have."""

    def __init__(self, waits: int = 1) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        if len(self.seconds) == self._waits:
            raise Waited
        return False


class Rounds(IntervalDaemon[IWorkspaceProcessContext]):  # type: ignore[type-arg]  # whatever context
    """Counts its rounds."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__(interval_seconds=30)
        self.rounds, self._fails = 0, fails

    @classmethod
    def daemon_type(cls) -> str:
        return "ROUNDS"

    def run_iteration(self, workspace_process_context: object) -> DaemonIterator:
        self.rounds += 1
        yield None
        if self._fails:
            raise ValueError("no")


@pytest.fixture(autouse=True)
def calmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's modules as the daemon leaves them; the test leaves them as they were."""
    for module, name in (
        (sensor, "MIN_INTERVAL_LOOP_TIME"),
        (asset_daemon, "MIN_INTERVAL_LOOP_SECONDS"),
        (server_watcher, "WATCH_INTERVAL"),
        (SqlRunStorage, "has_run_stats_index_cols"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    daemon.calmed()


def test_columns_of_runs_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        storage = instance.run_storage
        assert isinstance(storage, SqlRunStorage)
        assert storage.has_run_stats_index_cols()
        monkeypatch.setattr(storage, "connect", lambda: pytest.fail("read again"))
        assert storage.has_run_stats_index_cols()


def waits_of(loop: Iterator[object], ending: Recorded) -> list[float]:
    """The seconds that a loop waits for."""
    with pytest.raises(Waited):
        for _ in loop:
            pass
    return ending.seconds


@pytest.mark.parametrize("fails", [False, True])
def test_a_round_ends_with_one_wait_for_the_next(fails: bool) -> None:
    rounds, ending = Rounds(fails), Recorded(waits=2)

    waits = waits_of(daemon.rounds(rounds, NOTHING, ending), ending)

    assert rounds.rounds == 2
    assert all(29 < seconds <= 30 for seconds in waits)


def test_dagster_itself_wakes_twice_a_second() -> None:
    """The control."""
    ending = Recorded(waits=5)

    assert waits_of(Rounds().core_loop(NOTHING, ending), ending) == [0.5] * 5


def test_sensors_are_looked_at_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor, "execute_sensor_iteration", lambda *_, **__: iter(()))
    ending = Recorded()

    waits = waits_of(sensor.execute_sensor_iteration_loop(NOTHING, logging.getLogger("x"), ending), ending)

    assert [round(seconds) for seconds in waits] == [daemon.SENSORS_SECONDS]


def test_conditions_are_looked_at_every_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asset_daemon.AssetDaemon(settings={}, pre_sensor_interval_seconds=30)
    monkeypatch.setattr(loop, "_run_iteration_impl", lambda *_, **__: None)
    ending = Recorded()

    waits = waits_of(loop.core_loop(NOTHING, ending), ending)

    assert [round(seconds) for seconds in waits] == [daemon.CONDITIONS_SECONDS]


def test_the_code_server_is_asked_every_five_seconds() -> None:
    ending = Recorded()
    client = Mock(spec=DagsterGrpcClient, get_server_id=lambda timeout: "one")

    with pytest.raises(Waited):
        server_watcher.watch_grpc_server_thread(
            "souk",
            client,
            ending,
            get_location_entry=lambda _: None,
            refresh_code_location=lambda _: None,
            on_disconnect=lambda _: None,
            on_reconnected=lambda _: None,
            on_updated=lambda _, __: None,
            on_error=lambda _: None,
        )

    assert ending.seconds == [daemon.WATCH_SECONDS]
