"""What a process holds while it runs: a status file for other programs, and the lock that keeps a second one out."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from warehouse.cdc import status as cdc
from warehouse.cdc.status import StatusFile
from warehouse.events import status as events
from warehouse.events.status import EventsStatus
from warehouse.running import AnotherConsumer, only_consumer


def report_of_cdc(path: Path) -> tuple[StatusFile, Callable[[str], None]]:
    file = StatusFile(path)
    return file, lambda state: file.report(state=state, lsn=16, stopped={})


def report_of_events(path: Path) -> tuple[EventsStatus, Callable[[str], None]]:
    file = EventsStatus(path)
    return file, lambda state: file.report(state, behind_since=datetime.now(UTC))


def content(path: Path) -> Mapping[str, object]:
    found: Mapping[str, object] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("opened", [report_of_cdc, report_of_events], ids=["cdc", "events"])
def test_a_status_that_cannot_be_written_ends_nothing_and_comes_back(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[[Path], tuple[StatusFile | EventsStatus, Callable[[str], None]]],
) -> None:
    for module in (cdc, events):
        monkeypatch.setattr(module, "_BEAT_SECONDS", 0.01)
    folder, died = tmp_path / "run", list[object]()
    folder.write_text("no folder, as good as a full disk")
    monkeypatch.setattr(threading, "excepthook", died.append)
    file, report = opened(folder / "status.json")

    with file.beating():
        report("waiting")
        time.sleep(0.1)
        folder.unlink()
        deadline = time.monotonic() + 10
        while not (folder / "status.json").exists():
            assert time.monotonic() < deadline, "the thread that renews it has ended"
            time.sleep(0.01)

    assert content(folder / "status.json")["state"] == "waiting"
    assert died == []


def test_a_second_process_is_kept_out_until_the_first_has_ended(tmp_path: Path) -> None:
    lock = tmp_path / "run" / "x.lock"

    with only_consumer(lock, "do it"), pytest.raises(AnotherConsumer) as refused, only_consumer(lock, "do it"):
        pass

    assert str(refused.value) == f"another process holds {lock}: only one may do it"
    with only_consumer(lock, "do it"):
        pass
