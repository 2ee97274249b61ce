"""The supervisor as a process, without services."""

import subprocess
import sys
from pathlib import Path

from tests.harness.souk import ROOT

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
