"""The demo's memory is that of every process below it, each counted once."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from orchestration.runtime.sampler import MemorySampler
from tests.harness.souk import wait_for


def test_processes_of_processes_count(tmp_path: Path) -> None:
    sampler = MemorySampler(tmp_path)
    without = sampler.sample()
    # Each of the two holds 64 MiB of its own.
    hold = "import time; kept = bytearray(2**26); kept[::4096] = b'x' * 2**14; print(flush=True); time.sleep(60)"
    below = f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {hold!r}]); {hold}"
    with subprocess.Popen([sys.executable, "-S", "-c", below], stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            wait_for(lambda: len(psutil.Process(child.pid).children()) == 1)
            wait_for(lambda: sampler.sample() > without + 2**27)
            assert sampler.sample() < without + 2**28
        finally:
            os.killpg(child.pid, 9)

    assert sampler.peak_bytes > without + 2**27
    assert sampler.sample() < without + 2**26
