"""`souk bench idle`: what the whole platform costs while nobody uses it.

`souk demo` in a state directory of its own; after a pause, the processor time and the memory of every process over a
minute. `--running` measures what runs in SOUK_HOME instead.
"""

import sys
import time
from contextlib import nullcontext
from typing import Annotated

import typer

from orchestration.runtime.machine import Machine, load_machine
from orchestration.settings import load_settings
from tests.benchmarks.results import record
from tests.benchmarks.support.platform import running_platform, services_of, supervisor_of
from tests.benchmarks.support.usage import cpu_seconds, memory_bytes
from warehouse.command import program
from warehouse.logs import configure

_EVERYTHING = "all"
GIB = 1024**3


@program("python -m tests.benchmarks.idle")
def main(
    *,
    settle: Annotated[float, typer.Option(help="Seconds to wait before measuring.")] = 60.0,
    seconds: Annotated[float, typer.Option(help="Seconds to measure.")] = 60.0,
    size: Annotated[str, typer.Option(help="Options of `souk load marketplace`.")] = "",
    running: Annotated[bool, typer.Option("--running", help="Measure the platform of SOUK_HOME.")] = False,
) -> int:
    """Measure the platform at rest."""
    configure("warning")
    machine = load_machine(load_settings()) if running else None
    if running and machine is None:
        sys.stderr.write("nothing runs here: `souk up` first\n")
        return 1
    with running_platform(size) if machine is None else nullcontext(machine) as platform:
        time.sleep(settle)
        measure(platform, seconds)
    return 0


def measure(machine: Machine, seconds: float) -> None:
    """Record the share of one core and the memory, of all processes together and of each service."""
    roots = {_EVERYTHING: supervisor_of(machine), **services_of(machine)}
    before, began = cpu_seconds(roots), time.perf_counter()
    time.sleep(seconds)
    after, taken = cpu_seconds(roots), time.perf_counter() - began
    shares = {name: round((after[name] - before[name]) / taken * 100, 2) for name in roots}
    memory = {name: round(held / GIB, 3) for name, held in memory_bytes(roots).items()}
    for name, unit, measured in (("idle", "% of one core", shares), ("idle.memory", "GiB", memory)):
        by_service = {service: value for service, value in measured.items() if service != _EVERYTHING}
        most = sorted(by_service.items(), key=lambda item: -item[1])
        record(
            "idle",
            name,
            ours=measured[_EVERYTHING],
            limit=None,
            unit=unit,
            lower_is_better=True,
            note=", ".join(f"{service} {value}" for service, value in most[:6]),
            services=by_service,
            seconds=round(taken, 1),
        )


if __name__ == "__main__":
    sys.exit(main())
