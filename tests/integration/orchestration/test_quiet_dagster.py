"""Dagster's processes cost little while nothing happens: what the gates read and what a confirmation writes."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData

from orchestration.graph.gates import Gates
from orchestration.graph.storage import engine, report_made
from orchestration.runtime.ports import choose_port
from tests.integration.orchestration.test_dagster_storage import counted, queue

ASSETS = [f"mart_{n}" for n in range(20)]


def made(names: list[str], lsn: int) -> list[dg.AssetMaterialization]:
    return [dg.AssetMaterialization(name, metadata={"lsn": lsn}, tags={"souk/tag": name}) for name in names]


def shown(instance: dg.DagsterInstance, names: list[str]) -> list[tuple[object, ...]]:
    """What Dagster's pages read of the newest result of each asset."""
    found = list[tuple[object, ...]]()
    for name in names:
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        materialization = event.asset_materialization
        assert materialization is not None
        (record,) = instance.get_asset_records([dg.AssetKey(name)])
        entry = record.asset_entry
        assert entry.last_materialization is not None
        count = len(instance.fetch_materializations(dg.AssetKey(name), limit=100).records)
        assert (
            entry.last_materialization_storage_id
            == instance.fetch_materializations(dg.AssetKey(name), limit=1).records[0].storage_id
        )
        found.append(
            (
                name,
                event.run_id,
                event.job_name,
                event.level,
                event.user_message,
                materialization.metadata,
                materialization.tags,
                entry.last_run_id,
                count,
            )
        )
    return found


def test_what_is_reported_together_reads_as_what_is_reported_one_by_one(instance: dg.DagsterInstance) -> None:
    for lsn in (1, 2):
        for one in made(ASSETS, lsn):
            instance.report_runless_asset_event(one)
    alone = shown(instance, ASSETS)
    instance.wipe()
    for lsn in (1, 2):
        report_made(instance, made(ASSETS, lsn))

    assert shown(instance, ASSETS) == alone
    assert [row[-1] for row in alone] == [2] * len(ASSETS)


def test_what_is_reported_together_takes_a_few_statements(instance: dg.DagsterInstance, storage_url: str) -> None:
    report_made(instance, made(ASSETS[:1], 1))
    with (
        counted(engine(storage_url), "before_cursor_execute") as sent,
        counted(engine(storage_url), "commit") as commits,
    ):
        report_made(instance, made(ASSETS, 1))
    together = len(sent), len(commits)
    with counted(engine(storage_url), "before_cursor_execute") as sent:
        for one in made(ASSETS, 1):
            instance.report_runless_asset_event(one)

    assert together[0] <= 4
    assert together[1] == 1
    assert len(sent) >= 3 * len(ASSETS), "the control"


def test_nothing_to_report_is_no_transaction(instance: dg.DagsterInstance, storage_url: str) -> None:
    with counted(engine(storage_url), "checkout") as used:
        report_made(instance, [])
    assert used == []


def closed(gates: Gates, name: str, ago: float) -> bool:
    began = time.time() - ago
    data = SensorInstigatorData(
        last_tick_timestamp=began, last_tick_start_timestamp=began, last_tick_success_timestamp=began
    )
    sensor = Mock(spec=RemoteSensor)
    sensor.name = name
    return gates.closed(Mock(spec=InstigatorState, instigator_data=data), sensor)


def ticked(gates: Gates, name: str = "alerts") -> bool:
    """Whether the sensor ticks, though its last tick began after all that has happened before; this one does too."""
    return not closed(gates, name, -0.01)


def test_a_sensor_of_the_log_ticks_after_an_end_a_check_and_a_change_of_freshness(
    instance: dg.DagsterInstance,
) -> None:
    gates = Gates(instance)
    assert ticked(gates)
    assert not ticked(gates)

    report_made(instance, made(ASSETS, 1))
    assert not ticked(gates), "confirmations are no news"

    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey("made"), check_name="holds", passed=False, metadata={})
    )
    assert ticked(gates)
    assert not ticked(gates)


def test_while_a_run_waits_or_works_or_has_failed_every_sensor_ticks(instance: dg.DagsterInstance) -> None:
    gates = Gates(instance)
    assert ticked(gates)
    run_id = queue(instance, None, dg.DagsterRunStatus.QUEUED)
    for _ in range(2):
        assert ticked(gates)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)
    for _ in range(2):
        assert ticked(gates), "a refresh that failed is tried again at its time"


def test_a_gate_costs_one_statement(instance: dg.DagsterInstance, storage_url: str) -> None:
    gates = Gates(instance)
    closed(gates, "rebuilt", 31)
    with counted(engine(storage_url), "before_cursor_execute") as sent:
        closed(gates, "rebuilt", 31)
    assert len(sent) == 1


def test_the_sensor_of_the_lake_ticks_when_a_table_has_changed_and_when_the_features_are_old(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))
    status = tmp_path / "run" / "marts-status.json"
    status.parent.mkdir()
    gates = Gates(instance)

    def say(**said: object) -> None:
        now = datetime.now(UTC).isoformat()
        status.write_text(
            json.dumps({"state": "following", "needsBuild": None, "changedLsn": "0/1", "updatedAt": now} | said)
        )

    assert ticked(gates, "lake_moved")
    assert ticked(gates, "lake_moved"), "nobody says what the marts hold"
    say()
    assert ticked(gates, "lake_moved")
    assert not ticked(gates, "lake_moved")
    say(lsn="0/2")
    assert not ticked(gates, "lake_moved"), "the position moves on with everything that the server writes"
    say(changedLsn="0/3")
    assert ticked(gates, "lake_moved")
    assert not ticked(gates, "lake_moved")
    for why in (
        {"state": "failed"},
        {"needsBuild": "a model failed"},
        {"behindSince": "2026-03-02T10:00:00+00:00"},
        {"updatedAt": (datetime.now(UTC) - timedelta(minutes=2)).isoformat()},
    ):
        say(**why)
        for _ in range(2):
            assert ticked(gates, "lake_moved"), why


def test_the_daemons_statement_uses_the_index(instance: dg.DagsterInstance, storage_url: str) -> None:
    """However long the log is: it reads the last rows of a kind."""
    from orchestration.graph.gates import _STATEMENT

    text = _STATEMENT.compile(engine(storage_url), compile_kwargs={"literal_binds": True})
    with engine(storage_url).connect() as connection:
        connection.execute(sa.text("SET enable_seqscan = off"))
        plan = [row[0] for row in connection.execute(sa.text(f"EXPLAIN {text}"))]
        connection.execute(sa.text("RESET enable_seqscan"))
    assert not [line for line in plan if "Seq Scan on event_logs" in line], plan


@pytest.mark.slow
def test_the_code_server_sleeps_and_ends_at_a_signal(tmp_path: Path) -> None:
    """gRPC's own wakes ten times a second, in the thread that waits for its end."""
    module = tmp_path / "code.py"
    module.write_text("import dagster as dg\n\ndefs = dg.Definitions()\n")
    wakes = {}
    for server in (["orchestration.graph.code_server"], ["dagster", "api", "grpc"]):
        port = choose_port()
        process = subprocess.Popen(
            [sys.executable, "-m", *server, "-f", str(module), "-h", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            time.sleep(1.0)
            before = _switches(process.pid)
            time.sleep(2.0)
            wakes[server[0]] = _switches(process.pid) - before
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            process.wait(30)
            assert time.monotonic() - began < 10
        finally:
            process.kill()
            process.wait()
    assert wakes["orchestration.graph.code_server"] <= 2
    assert wakes["dagster"] >= 15, "the control"


def _switches(pid: int) -> int:
    """How often the first thread has waited."""
    text = Path(f"/proc/{pid}/task/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("voluntary"))


def _wait_for(port: int) -> None:
    from dagster._grpc.client import DagsterGrpcClient

    client = DagsterGrpcClient(port=port, host="127.0.0.1")
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        try:
            client.ping("")
        except Exception:  # noqa: BLE001 - not there yet
            time.sleep(0.3)
        else:
            return
    raise AssertionError("it does not answer")
