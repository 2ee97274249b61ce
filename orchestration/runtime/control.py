"""`up` starts the supervisor and waits for health; `down` stops the processes of this state directory only."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import psutil

from orchestration.runtime.command_lock import one_command
from orchestration.runtime.config import Config
from orchestration.runtime.disk import FULL_BYTES, lack_of_room
from orchestration.runtime.doctor import examine
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.layout import Layout, open_layout
from orchestration.runtime.machine import Machine, load_machine
from orchestration.runtime.services import NAMES, Service, service_table
from orchestration.runtime.state import Record, process_of, read_record, supervised_processes
from orchestration.runtime.supervisor import SUPERVISOR, supervisor_lives
from orchestration.settings import ROOT, Settings

_UP_SECONDS = 900.0
_POLL_SECONDS = 0.05
_DOWN_SECONDS = 150.0
_END_SECONDS = 20.0
_CRASHES_TO_GIVE_UP = 3
_LOG_LINES = 15
_BIG_LOG_BYTES = 20 * 1024**2
# Supervisors started by this process. They outlive it; the reference avoids Python's warning about a child that still
# runs.
_DETACHED: list[subprocess.Popen[bytes]] = []
Progress = Callable[[Mapping[str, Record]], None]


class _SupervisorEnded(RuntimeProblem):
    """The supervisor ended while this command waited for health."""


def _quiet(_: Mapping[str, Record]) -> None:
    """Report nothing."""


def up(settings: Settings, progress: Progress = _quiet, *, first: Collection[str] = ()) -> Machine:
    """Start what does not run and return when everything is healthy. A second call changes nothing.

    With `first` it returns once those services are healthy; the others go on starting, and a further call waits for
    them.
    Raises: RuntimeProblem naming the cause and the fix; everything that this call started has then been stopped.
    """
    layout = open_layout(settings.home)
    if unknown := settings.chosen_services - set(NAMES):
        raise RuntimeProblem(
            f"SOUK_SERVICES: there is no service {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}"
        )
    if not supervisor_lives(layout):
        _refuse_unless_ready(settings, layout)
    try:
        layout.create()
    except OSError as error:
        raise RuntimeProblem(
            f"cannot create {layout.home}: {error.strerror}. Change its owner, free some space, or set SOUK_HOME."
        ) from error
    with one_command(layout):
        if supervisor_lives(layout):
            machine = _running_machine(settings, layout)
            with contextlib.suppress(_SupervisorEnded):  # it was killed meanwhile: start a new one
                _wait_until_healthy(machine, progress, first)
                return machine
        try:
            machine = _launch(settings, layout)
            _wait_until_healthy(machine, progress, first)
        except BaseException:  # also Ctrl-C: stop what was started
            _stop(layout, _quiet)
            raise
        return machine


def _refuse_unless_ready(settings: Settings, layout: Layout) -> None:
    machine = load_machine(settings)
    problems = [f for f in examine(settings, machine) if f.essential and not f.ok]
    if problems:
        raise RuntimeProblem("\n".join(f"{problem.name}: {problem.detail}" for problem in problems))


def _running_machine(settings: Settings, layout: Layout) -> Machine:
    """The machine whose supervisor runs.

    Raises: RuntimeProblem when that supervisor was started for fewer services or by older code.
    """
    machine = load_machine(settings)
    if machine is None:
        raise RuntimeProblem(
            f"a supervisor runs but {settings.home}/config.json is gone: run `souk down`, then `souk up`"
        )
    unknown = [service.name for service in service_table(machine) if read_record(layout, service.name) is None]
    if unknown:
        raise RuntimeProblem(
            f"what runs here was started without {', '.join(unknown)}: run `souk down`, then `souk up`"
        )
    return machine


def _launch(settings: Settings, layout: Layout) -> Machine:
    """End what a killed supervisor left, assign ports, start the supervisor detached."""
    end_leftovers(layout)
    _forget_records(layout)
    try:
        config, moved = (Config.load(layout) or Config()).with_free_ports()
        config.save(layout)
    except OSError as error:
        raise RuntimeProblem(
            f"cannot write {layout.config}: {error.strerror}. Free some space, or set SOUK_HOME elsewhere."
        ) from error
    machine = Machine(settings, layout, config)
    if moved:
        sys.stderr.write(f"ports taken by others, moved: {', '.join(moved)}\n")
    _trim_logs(layout)
    with layout.log(SUPERVISOR).open("ab") as log:
        process = subprocess.Popen(  # kept below: it outlives this command
            [sys.executable, "-m", "orchestration.runtime"],
            cwd=ROOT,
            env={**os.environ, "SOUK_HOME": str(layout.home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _DETACHED.append(process)
    deadline = time.monotonic() + 60
    while read_record(layout, SUPERVISOR) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeProblem(f"the supervisor did not start:\n{tail(layout.log(SUPERVISOR))}")
        time.sleep(_POLL_SECONDS)
    return machine


def _trim_logs(layout: Layout) -> None:
    for log in layout.logs.glob("*.log"):
        if log.stat().st_size > _BIG_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def records_of(layout: Layout, services: Sequence[Service]) -> dict[str, Record]:
    """The latest record of every service in the table; `waiting` where there is none yet."""
    return {service.name: read_record(layout, service.name) or Record(service.name, "waiting") for service in services}


def _wait_until_healthy(machine: Machine, progress: Progress, first: Collection[str]) -> None:
    services = service_table(machine)
    awaited = [service for service in services if not first or service.name in first]
    before = {name: record.restarts for name, record in records_of(machine.layout, services).items()}
    deadline = time.monotonic() + _UP_SECONDS
    while True:
        records = records_of(machine.layout, services)
        progress(records)
        if not supervisor_lives(machine.layout):
            raise _SupervisorEnded(_how_it_ended(machine.layout))
        if (
            all(_well(records[service.name]) for service in awaited)
            and _answer_now(awaited, records)
            and supervisor_lives(machine.layout)
        ):
            return
        # On a full disk the records may be old, and waiting would not help.
        if full := lack_of_room(machine.layout.home, FULL_BYTES):
            raise RuntimeProblem(
                f"disk: {full}. What was acknowledged is kept; `souk up` continues with it once there is room."
            )
        for name, record in records.items():
            crashed = record.state == "restarting" and record.restarts - before[name] >= _CRASHES_TO_GIVE_UP
            # An `unhealthy` service was healthy before and may recover: it fails only at the deadline.
            if record.state == "failed" or crashed:
                raise RuntimeProblem(_not_healthy(machine.layout, record))
        if time.monotonic() > deadline:
            late = next(record for service in awaited if not _well(record := records[service.name]))
            raise RuntimeProblem(_not_healthy(machine.layout, late))
        time.sleep(_POLL_SECONDS)


def _how_it_ended(layout: Layout) -> str:
    last = read_record(layout, SUPERVISOR)
    if last is not None and last.state == "stopping":
        return "stopped while it was starting: somebody ran `souk down`, or ended the supervisor"
    return f"the supervisor ended:\n{tail(layout.log(SUPERVISOR))}"


def _well(record: Record) -> bool:
    """Done, or healthy and still running since the supervisor's last check."""
    return record.state == "done" or (record.state == "healthy" and process_of(record) is not None)


def _answer_now(services: Sequence[Service], records: Mapping[str, Record]) -> bool:
    """Ask each service itself: its record stays healthy for a moment after it was killed."""
    return all(service.once or service.check(records[service.name].pid or 0).ok for service in services)


def _not_healthy(layout: Layout, record: Record) -> str:
    log = layout.log(record.service)
    return f"{record.service} is not healthy ({record.message or record.state}). The end of {log}:\n{tail(log)}"


def tail(log: Path, lines: int = _LOG_LINES) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def down(settings: Settings, progress: Progress = _quiet) -> None:
    """Stop everything that `up` started, in reverse order, gracefully then by force. Does nothing when nothing runs.

    It does not wait for an `up` that is still starting: that one sees its supervisor end and gives up.
    """
    layout = open_layout(settings.home)
    if not layout.run.exists():
        return
    with one_command(layout, meanwhile=lambda: _ask_to_end(layout)):
        _stop(layout, progress)


def _ask_to_end(layout: Layout) -> psutil.Process | None:
    """Send SIGTERM to the supervisor; None when none runs."""
    supervisor = process_of(read_record(layout, SUPERVISOR))
    if supervisor is None or not supervisor_lives(layout):
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        supervisor.terminate()
    return supervisor


def _stop(layout: Layout, progress: Progress) -> None:
    supervisor = _ask_to_end(layout)
    if supervisor is not None:
        deadline = time.monotonic() + _DOWN_SECONDS
        while supervisor_lives(layout) and time.monotonic() < deadline:
            progress(_all_records(layout))
            time.sleep(_POLL_SECONDS)
        with contextlib.suppress(psutil.Error):
            if supervisor_lives(layout):
                supervisor.kill()
            _wait_until_ended(supervisor)
    end_leftovers(layout)
    _forget_records(layout)
    _DETACHED[:] = [process for process in _DETACHED if process.poll() is None]


def _wait_until_ended(process: psutil.Process) -> None:
    """Wait ten seconds at most. A zombie has ended: its parent, which may be any program, has not asked for it yet."""
    deadline = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)


def _all_records(layout: Layout) -> dict[str, Record]:
    found = (read_record(layout, path.stem) for path in sorted(layout.run.glob("*.json")))
    return {record.service: record for record in found if record is not None and record.service != SUPERVISOR}


def end_leftovers(layout: Layout) -> None:
    """End what a killed supervisor left running.

    That is each recorded process whose start time matches, and each process with the mark of this state directory.
    """
    leftovers = {process.pid: process for process in supervised_processes(layout.home)}
    for record in _all_records(layout).values():
        process = process_of(record)
        if process is not None:
            leftovers[process.pid] = process
    processes = list(leftovers.values())
    _signal(processes, postgres=signal.SIGINT, others=signal.SIGTERM)
    stubborn = _still_there(processes, _END_SECONDS)
    _signal(stubborn, postgres=signal.SIGQUIT, others=signal.SIGKILL)
    _still_there(stubborn, _END_SECONDS)


def _still_there(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait at most `seconds` for the processes to end; returns those that still run.

    A zombie counts as ended; its parent reaps it.
    """
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left and time.monotonic() < deadline:
        left = [process for process in left if _runs(process)]
        time.sleep(0.05 if left else 0)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Sequence[psutil.Process], *, postgres: signal.Signals, others: signal.Signals) -> None:
    """Signal Postgres and the other processes, each with its own signal.

    Postgres stops fast and cleanly on SIGINT and at once on SIGQUIT; on SIGTERM it waits for its clients.
    """
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(postgres if process.name() == "postgres" else others)


def _forget_records(layout: Layout) -> None:
    """Remove run/<service>.json. The heartbeats of cdc and worker stay, because they hold the last position."""
    for path in layout.run.glob("*.json"):
        if not path.stem.endswith("-status"):
            path.unlink(missing_ok=True)
