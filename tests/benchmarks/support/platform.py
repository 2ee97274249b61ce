"""The whole platform as `souk demo` leaves it, in a state directory of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from orchestration.runtime.machine import Machine, load_machine
from orchestration.runtime.services import NAMES
from orchestration.runtime.state import process_of, read_record
from orchestration.runtime.supervisor import SUPERVISOR
from orchestration.settings import load_settings
from tests.benchmarks.apart import leave_platform
from tests.benchmarks.support.termination import ending_cleanly
from tests.harness.processes import ROOT
from tests.harness.sessions import SECRET_KEY
from tests.harness.souk import SoukHarness


@contextmanager
def running_platform(size: str = "", env: Mapping[str, str] | None = None) -> Iterator[Machine]:
    """`souk demo`, every process running and a model trained; everything ends and is deleted afterwards.

    `env` is added to the environment of every process.
    """
    leave_platform()
    with ending_cleanly(), tempfile.TemporaryDirectory(prefix="souk-platform-") as name:
        harness = SoukHarness(Path(name), SOUK_SECRET_KEY=SECRET_KEY, **(env or {}))
        command = [sys.executable, "-m", "orchestration.cli", "demo", *([f"--size={size}"] if size else [])]
        try:
            subprocess.run(command, cwd=ROOT, env=harness.environment, check=True, stdout=sys.stderr)
            with patch.dict("os.environ", harness.environment, clear=True):
                machine = load_machine(load_settings())
            assert machine is not None
            yield machine
        finally:
            harness.down()


def services_of(machine: Machine) -> dict[str, int]:
    """The process of every service that runs."""
    found = {name: process_of(read_record(machine.layout, name)) for name in NAMES}
    return {name: process.pid for name, process in found.items() if process is not None}


def supervisor_of(machine: Machine) -> int:
    """The process above all services."""
    process = process_of(read_record(machine.layout, SUPERVISOR))
    assert process is not None, "no supervisor runs"
    return int(process.pid)
