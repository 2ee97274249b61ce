"""Progress goes to stderr and results to stdout. A problem prints one red line and exits 1."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Self

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.machine import Machine, load_machine
from orchestration.runtime.process import tied_to_us
from orchestration.runtime.services import can_run
from orchestration.runtime.state import Record, process_of, read_record
from orchestration.settings import ROOT, Settings, load_settings
from warehouse.environment import InvalidSettings

err = Console(stderr=True)
out = Console()
_COLOURS = {
    "healthy": "green",
    "done": "green",
    "waiting": "dim",
    "starting": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
}


@contextlib.contextmanager
def problems_as_sentences() -> Iterator[None]:
    """Print a problem that the operator can fix, and exit 1."""
    try:
        yield
    except RuntimeProblem as problem:
        _say(str(problem))
        raise typer.Exit(1) from problem
    except InvalidSettings as error:
        for line in str(error).splitlines():
            _say(line)
        raise typer.Exit(1) from error
    except OSError as error:  # the disk filled, or a folder lost its permissions, during the command
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}; `souk doctor` looks at disk, rights and ports")
        raise typer.Exit(1) from error


def _say(problem: str) -> None:
    err.print("[red]✗[/]", end=" ")
    err.print(problem, markup=False, highlight=False, soft_wrap=True)


def settings() -> Settings:
    """The settings, or an error message that names the wrong variable."""
    with problems_as_sentences():
        return load_settings()


def machine_or_exit() -> Machine:
    """The machine of this state directory, or an error message when it was never started."""
    with problems_as_sentences():
        machine = load_machine(load_settings())
        if machine is None:
            raise RuntimeProblem("nothing was started here yet: run `souk up`, or set SOUK_HOME to where it was")
        return machine


def running_or_exit() -> Machine:
    """The same for commands that need the database, or an error message when it does not run."""
    machine = machine_or_exit()
    with problems_as_sentences():
        if machine.settings.database_url is None and process_of(read_record(machine.layout, "postgres")) is None:
            raise RuntimeProblem(f"Postgres does not run in {machine.layout.home}: run `souk up`, then this again")
    return machine


def run_module(module: str, *arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` with the environment of this machine.

    It writes to this process's stderr, and to its stdout unless captured.
    """
    if not can_run(module):
        with problems_as_sentences():
            raise RuntimeProblem(f"`python -m {module}` is not installed here: run `make install`")
    with problems_as_sentences():
        machine = load_machine(load_settings())
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=None if machine is None else machine.environment(),
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
        preexec_fn=tied_to_us(),  # a killed `souk pipeline` ends its program too
    )


def service_rows(records: Mapping[str, Record]) -> Table:
    """Name, state, restarts and message of each service."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("service", "state", "restarts", "where"):
        table.add_column(title)
    for name, record in records.items():
        colour = _COLOURS.get(record.state, "red")
        table.add_row(
            name, f"[{colour}]{record.state}[/]", str(record.restarts or ""), record.message or record.url or ""
        )
    return table


class ServiceProgress:
    """A table that is updated while services start; without a terminal, one line per change."""

    def __init__(self) -> None:
        self._live = Live(console=err, refresh_per_second=8, transient=True) if err.is_terminal else None
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, records: Mapping[str, Record]) -> None:
        """Show the latest records."""
        if self._live:
            self._live.update(service_rows(records))
            return
        for name, record in records.items():
            if self._states.get(name) != record.state:
                self._states[name] = record.state
                err.print(f"  {name} is {record.state}", highlight=False)
