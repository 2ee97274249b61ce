"""`python -m orchestration.runtime`: the supervisor process.

`souk up` starts it detached and waits until it reports.
"""

import sys

from orchestration.runtime.machine import SUPERVISED, load_machine
from orchestration.runtime.services import service_table
from orchestration.runtime.supervisor import Supervisor, supervisor_lock
from orchestration.settings import ROOT, load_settings
from warehouse.environment import exit_on_invalid_settings
from warehouse.logs import configure


def main() -> int:
    """Supervise the state directory of the environment until SIGTERM. Returns 1 when another supervisor runs."""
    configure("info")
    with exit_on_invalid_settings():
        settings = load_settings()
    machine = load_machine(settings)
    if machine is None:
        sys.stderr.write("no state directory: run `souk up`\n")
        return 1
    with supervisor_lock(machine.layout) as alone:
        if not alone:
            return 1
        environment = {**machine.environment(), SUPERVISED: str(machine.layout.home)}
        Supervisor(machine.layout, service_table(machine), environment, ROOT).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
