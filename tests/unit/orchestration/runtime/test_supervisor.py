"""The supervisor as a process, with a service that only sleeps."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestration.runtime.layout import Layout
from orchestration.runtime.state import read_record
from tests.harness.souk import ROOT, wait_for

# The signal comes while a line of the log is being written: the writer holds the logger's lock then.
SIGNAL_IN_A_LINE = """
import signal, sys
from pathlib import Path
from orchestration.runtime.health import alive
from orchestration.runtime.layout import Layout
from orchestration.runtime.services import Service
from orchestration.runtime.supervisor import Supervisor
from warehouse import logs

class Interrupted:
    sent = False
    def write(self, text):
        if "asleep" in text and not self.sent:
            self.sent = True
            signal.raise_signal(signal.SIGTERM)
        return len(text)
    def flush(self): ...

logs.Forgiving = Interrupted
logs.configure("info")
layout = Layout(Path(sys.argv[1]))
layout.create()
asleep = Service("asleep", (sys.executable, "-c", "import time; time.sleep(60)"), alive)
Supervisor(layout, (asleep,), {}, layout.home).run()
"""


def test_a_signal_in_the_middle_of_a_log_line_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SIGNAL_IN_A_LINE, str(tmp_path / "home")]

    assert subprocess.run(command, cwd=ROOT, timeout=30, check=False).returncode == 0


ASLEEP = """
import sys
from pathlib import Path
from orchestration.runtime.health import alive
from orchestration.runtime.layout import Layout
from orchestration.runtime.services import Service
from orchestration.runtime.supervisor import Supervisor

layout = Layout(Path(sys.argv[1]))
layout.create()
Supervisor(layout, (Service("asleep", ("/bin/sleep", "600"), alive),), {}, layout.home).run()
"""


def test_it_sleeps_while_nothing_happens_and_sees_at_once_that_a_process_has_ended(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    def asleep() -> int:
        """The pid once it runs and was found healthy."""
        record = read_record(layout, "asleep")
        return record.pid or 0 if record is not None and record.state == "healthy" else 0

    with subprocess.Popen([sys.executable, "-c", ASLEEP, str(tmp_path)], cwd=ROOT) as supervisor:
        wait_for(lambda: asleep() != 0)
        first, before = asleep(), _sleeps(supervisor.pid)
        time.sleep(1.5)
        woken = _sleeps(supervisor.pid) - before
        os.kill(first, signal.SIGKILL)
        # Its next look is 20 s away.
        wait_for(lambda: asleep() not in (0, first), seconds=10)
        supervisor.terminate()
        assert supervisor.wait(20) == 0

    assert woken <= 2, "a poll ten times a second would be fifteen"


def _sleeps(pid: int) -> int:
    """How often the main thread of a process has gone to sleep."""
    status = Path(f"/proc/{pid}/task/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("voluntary_ctxt_switches"))
