"""Logging is never the reason why something fails."""

import json
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


@pytest.mark.parametrize(("module", "configure"), [("api.kernel.logs", "configure"), ("warehouse.logs", "configure")])
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


LINES = """
import logging
from {module} import configure, get_logger, trace_id
configure("info")
log = get_logger("here")
log.debug("not asked for")
log.info("a line", table="orders", email="a@b.example")
trace_id.set("abc")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
logging.getLogger("library").info("chatter")
logging.getLogger("library").warning('a "quoted" %s', "word")
"""


@pytest.mark.parametrize("module", ["api.kernel.logs", "warehouse.logs"])
def test_every_line_is_one_json_object(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINES.format(module=module)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    plain, broken, library = (json.loads(line) for line in done.stderr.splitlines())
    assert plain.pop("timestamp").endswith("Z")
    assert plain == {"module": "here", "level": "info", "event": "a line", "table": "orders", "email": "[redacted]"}
    assert (broken["level"], broken["traceId"]) == ("error", "abc")
    assert "ZeroDivisionError" in broken["exception"]
    assert library == {"level": "WARNING", "logger": "library", "event": 'a "quoted" word'}
