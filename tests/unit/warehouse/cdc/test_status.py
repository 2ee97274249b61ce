"""The status file stays young while the process works, and only while it does."""

import json
import time
from pathlib import Path

import pytest

from warehouse.cdc import status
from warehouse.cdc.status import StatusFile


def report(file: StatusFile) -> None:
    file.report(state="snapshot", lsn=16, stopped={})


def test_long_work_between_two_reports_does_not_look_like_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_BEAT_SECONDS", 0.02)
    file = StatusFile(tmp_path / "cdc-status.json")

    with file.beating():
        report(file)
        first = json.loads((tmp_path / "cdc-status.json").read_text())
        time.sleep(0.2)
        later = json.loads((tmp_path / "cdc-status.json").read_text())

    assert later["updatedAt"] > first["updatedAt"]
    assert {**later, "updatedAt": None} == {**first, "updatedAt": None}


def test_a_stuck_process_grows_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_BEAT_SECONDS", 0.02)
    monkeypatch.setattr(status, "_SILENCE_SECONDS", 0.05)
    file = StatusFile(tmp_path / "cdc-status.json")

    with file.beating():
        report(file)
        time.sleep(0.15)
        first = json.loads((tmp_path / "cdc-status.json").read_text())
        time.sleep(0.15)

    assert json.loads((tmp_path / "cdc-status.json").read_text()) == first


def test_a_new_state_is_written_at_once_and_a_new_position_with_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cdc-status.json"
    file = StatusFile(path)

    def written() -> tuple[str, str]:
        document = json.loads(path.read_text())
        return document["state"], document["lsn"]

    file.report(state="streaming", lsn=16, stopped={})
    file.report(state="streaming", lsn=17, stopped={})
    assert written() == ("streaming", "0/10")
    file.report(state="waiting", lsn=18, stopped={})
    assert written() == ("waiting", "0/12")
    file.report(state="waiting", lsn=18, stopped={"orders": "why"})
    assert json.loads(path.read_text())["stoppedTables"] == {"orders": "why"}

    monkeypatch.setattr(status, "_BEAT_SECONDS", 0.0)
    file.report(state="waiting", lsn=19, stopped={"orders": "why"})
    assert written() == ("waiting", "0/13"), "where no beat has written for two of them"


def test_what_is_measured_is_asked_again_at_every_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_BEAT_SECONDS", 0.02)
    file = StatusFile(tmp_path / "cdc-status.json")
    began = time.monotonic()

    with file.beating():
        file.report(state="streaming", lsn=16, stopped={}, measured=lambda: {"lagSeconds": time.monotonic() - began})
        first = json.loads((tmp_path / "cdc-status.json").read_text())
        time.sleep(0.2)
        later = json.loads((tmp_path / "cdc-status.json").read_text())

    assert later["lagSeconds"] >= first["lagSeconds"] + 0.1
