"""Programs that end with the process that started them."""

import functools
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from orchestration.runtime import control
from orchestration.runtime.process import spawn
from tests.harness.souk import ROOT, wait_for

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


def test_a_program_takes_what_others_leave_when_it_is_told_to() -> None:
    """And everything that it starts."""
    for given in (0, 7):
        with spawn(["sh", "-c", "sleep 60 & wait"], niceness=given) as process:
            leader = psutil.Process(process.pid)
            wait_for(functools.partial(_has_children, leader))
            found = [one.nice() for one in (leader, *leader.children())]
            os.killpg(process.pid, signal.SIGKILL)
        assert found == [min(psutil.Process().nice() + given, 19)] * 2


def _has_children(process: psutil.Process) -> bool:
    return bool(process.children())


def test_a_zombie_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor whose parent, a container's first process for example, never asks for its exit status."""
    with subprocess.Popen(["true"]) as child:
        zombie = psutil.Process(child.pid)
        wait_for(lambda: zombie.status() == psutil.STATUS_ZOMBIE)
        monkeypatch.setattr("orchestration.runtime.control.time.sleep", pytest.fail)

        control._wait_until_ended(zombie)  # noqa: SLF001 - `souk down` as a whole would need a platform
