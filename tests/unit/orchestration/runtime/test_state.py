"""Records of processes, ports, and what a recycled pid means."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.runtime.layout import Layout
from orchestration.runtime.ports import choose_port, is_free
from orchestration.runtime.state import Record, process_of, read_record, start_time_of, write_record


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.run.mkdir(parents=True)
    return made


def test_a_record_is_read_as_it_was_written_and_only_for_its_owner(layout: Layout) -> None:
    record = Record("api", "healthy", 42, 1.5, "http://127.0.0.1:1", 3, "fine")
    write_record(layout, record)

    assert read_record(layout, "api") == record
    assert (layout.run / "api.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"service": "api"}', '{"service": "api", "state": "x", "more": 1}']
)
def test_a_damaged_record_is_none(layout: Layout, text: str) -> None:
    (layout.run / "api.json").write_text(text)

    assert read_record(layout, "api") is None


def test_a_service_that_never_ran_has_no_record(layout: Layout) -> None:
    assert read_record(layout, "api") is None


def test_a_process_is_known_by_its_pid_and_start_together() -> None:
    mine = Record("api", "healthy", os.getpid(), start_time_of(os.getpid()))

    found = process_of(mine)
    assert found is not None
    assert found.pid == os.getpid()
    assert mine.start_time is not None
    assert process_of(replace(mine, start_time=mine.start_time - 60)) is None, "the pid belongs to another process now"


def test_a_process_that_ended_is_none_also_while_nobody_asked_for_its_exit() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = Record("api", "healthy", process.pid, start_time_of(process.pid))
    assert process_of(record) is not None

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_of(record) is None
    process.communicate()
    assert process_of(record) is None
    assert start_time_of(process.pid) is None


@pytest.mark.parametrize(
    "record", [None, Record("api", "waiting"), Record("api", "starting", 1), Record("api", "x", None, 1.0)]
)
def test_a_record_without_a_process_is_none(record: Record | None) -> None:
    assert process_of(record) is None


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not is_free(server.getsockname()[1])


def test_ports_are_chosen_below_the_kernels_own_and_never_one_that_is_taken() -> None:
    chosen: set[int] = set()
    for _ in range(50):
        chosen.add(choose_port(taken=chosen))

    assert len(chosen) == 50
    assert all(20_000 <= port < 32_768 for port in chosen)
