"""Programs that end with the process that started them."""

import re
import signal
import subprocess
import sys

from tests.harness.souk import ROOT

DEAF = """
import signal, subprocess
from orchestration.runtime.process import tied_to_us
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
subprocess.run(["cat", "/proc/self/status"], preexec_fn=tied_to_us(), check=True)
"""


def test_a_program_hears_that_its_parent_ended_although_the_parent_hears_no_sigterm() -> None:
    status = subprocess.run([sys.executable, "-c", DEAF], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    masks = {name: int(mask, 16) for name, mask in re.findall(r"^(Sig(?:Blk|Ign)):\s*(\w+)$", status, re.MULTILINE)}
    assert {name: mask >> (signal.SIGTERM - 1) & 1 for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}
