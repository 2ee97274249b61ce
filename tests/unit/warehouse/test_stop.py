"""A request to end reaches who waits, at once and from a signal handler."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.harness.processes import ROOT
from warehouse.stop import Stop

WAITING = """
import os, signal, sys, threading
from warehouse.stop import stop_on_signals
stop = stop_on_signals()
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
stop.wait(60)
sys.exit(0 if stop.asked else 1)
"""


def test_who_waits_returns_at_once_when_asked() -> None:
    stop = Stop()
    stop.wait(0.01)
    before = stop.asked

    stop.ask()
    stop.ask()
    began = time.monotonic()
    stop.wait(60)
    stop.wait(60)

    assert (before, stop.asked) == (False, True)
    assert time.monotonic() - began < 5


def test_a_signal_ends_a_wait() -> None:
    assert subprocess.run([sys.executable, "-c", WAITING], cwd=ROOT, timeout=30, check=False).returncode == 0


def test_a_stop_leaves_no_open_file() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        Stop().ask()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_stop_by_hand_leaves_ctrl_c_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    Stop()
    assert signal.getsignal(signal.SIGINT) is before
