"""What `souk status` says of behaviour events, from the consumer's file and the spool."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.status import behaviour_status
from orchestration.settings import Settings


def machine_of(home: Path, **reported: object) -> Machine:
    """A machine whose consumer has reported."""
    layout = Layout(home)
    layout.create()
    document = {"landed": 7, "duplicates": 2, "lagSeconds": 0.5, "streamLength": 3} | reported
    (layout.run / "events-status.json").write_text(json.dumps(document), encoding="utf-8")
    return Machine(Settings.model_validate({"SOUK_HOME": str(home)}), layout, Config().with_free_ports()[0])


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_the_section_is_the_last_report_and_what_waits_on_disk(tmp_path: Path) -> None:
    machine = machine_of(tmp_path, updatedAt=ago(0))
    (tmp_path / "spool" / "behaviour.jsonl").write_bytes(b"x" * 40)
    (tmp_path / "spool" / "behaviour-1.draining").write_bytes(b"x" * 2)

    assert behaviour_status(machine) == {
        "uri": f"{tmp_path}/lake/behaviour/events", "landed": 7, "duplicates": 2, "lagSeconds": 0.5, "streamLength": 3,
        "rejected": None, "late": None, "future": None, "landedAt": None, "spoolBytes": 42,
    }  # fmt: skip


def test_a_consumer_that_is_silent_falls_behind_by_its_silence(tmp_path: Path) -> None:
    lag = behaviour_status(machine_of(tmp_path, updatedAt=ago(60)))["lagSeconds"]

    assert isinstance(lag, float)
    assert 60.4 <= lag < 70
