"""Logging is never the reason why something fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.api import ROOT

SPEAK = """
from {module} import {configure}
{configure}("info")
import structlog
structlog.get_logger().info("a line")
structlog.get_logger().error("another", reason="x" * 100_000)
print("went on")
"""


@pytest.mark.parametrize(("module", "configure"), [("api.kernel.logs", "configure"), ("serving.logs", "configure")])
def test_a_full_disk_under_the_log_fails_nothing(module: str, configure: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SPEAK.format(module=module, configure=configure)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"went on\n")
