"""What `souk status` says about the lake's replication."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.cli.lifecycle import _cdc_lines
from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.status import cdc_status, lake_status
from orchestration.settings import Settings

STOPPED = "table returns, column refund_amount: NaN"
REPORT = {
    "pid": 7,
    "state": "streaming",
    "lsn": "0/1B0",
    "lagBytes": 16,
    "lagSeconds": 0.5,
    "stoppedTables": {"returns": STOPPED},
    "unknownTables": ["archive.sellers"],
    "tables": {"orders": {"lagSeconds": 0.5}, "returns": {"lagSeconds": 90.0, "stopped": STOPPED}},
    "slot": {
        "name": "souk_cdc",
        "active": True,
        "confirmedLsn": "0/1A0",
        "retainedBytes": 4096,
        "alert": "the slot holds back 30.0 % of max_slot_wal_keep_size (alert at 25 %)",
    },
    "snapshots": 1,
    "tableSnapshots": 2,
}


def machine(tmp_path: Path, *, seconds_ago: float) -> Machine:
    layout = Layout(tmp_path)
    layout.create()
    config, _ = Config().with_free_ports()
    written = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    (layout.run / "cdc-status.json").write_text(json.dumps(REPORT | {"updatedAt": written}), encoding="utf-8")
    return Machine(Settings.model_validate({"SOUK_HOME": str(tmp_path)}), layout, config)


def test_stopped_tables_slot_and_strangers_are_lines(tmp_path: Path) -> None:
    section = cdc_status(machine(tmp_path, seconds_ago=0))
    assert (section["snapshots"], section["tableSnapshots"]) == (1, 2)
    assert _cdc_lines(section) == [
        (
            "slot   souk_cdc  in use, confirmed 0/1A0, holds back 4,096 bytes of log, snapshots 1"
            "  ! the slot holds back 30.0 % of max_slot_wal_keep_size (alert at 25 %)"
        ),
        f"stopped for 90 s: {STOPPED}  (once repaired: `souk lake mend returns`)",
        "published but in no contract, ignored: archive.sellers",
    ]


def test_nothing_is_said_before_cdc_reported() -> None:
    assert _cdc_lines(dict.fromkeys(("slot", "stoppedTables", "unknownTables", "tables", "snapshots"))) == []


def test_a_silent_process_adds_its_silence_to_the_lag(tmp_path: Path) -> None:
    assert lake_status(machine(tmp_path, seconds_ago=1))["lagSeconds"] == 0.5
    silent = lake_status(machine(tmp_path, seconds_ago=20))["lagSeconds"]
    assert isinstance(silent, float)
    assert 20.5 <= silent < 25
