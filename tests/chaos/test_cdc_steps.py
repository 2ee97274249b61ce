"""kill -9 between every two steps of the lake's writer, without Postgres: every change is in the lake once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.lake_steps import TORN
from tests.harness.processes import ROOT
from warehouse.failpoints import POINTS

# Those of the stream and of the slot, which need a server, are in test_cdc_kill.
SERVED = {"cdc.after_slot", "cdc.after_receive", "cdc.before_feedback", "cdc.after_feedback"}
SNAPSHOT = ("cdc.snapshot_mid", "cdc.adopt_mid", "cdc.snapshot_before_watermark", "cdc.snapshot_after_watermark")
STEPS = (
    *SNAPSHOT,
    *sorted(point for point in POINTS if point.startswith("cdc.") and point not in {*SERVED, *SNAPSHOT}),
)
AT_ONCE = {*SNAPSHOT, TORN}


def outcome(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "tests.harness.lake_steps", str(folder), *arguments]
    quiet = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # its threads would be in every fork's way
    return subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow
def test_killed_between_every_two_steps(tmp_path: Path) -> None:
    points = [f"{point}@{1 if point in AT_ONCE else 2}" for point in STEPS]
    assert outcome(tmp_path, *points) == [f"{point}: exact" for point in [*points, "the end"]]


@pytest.mark.slow
def test_without_the_lsn_in_the_commit_the_same_comparison_objects(tmp_path: Path) -> None:
    """The negative control."""
    found = outcome(tmp_path, "--unguarded", "cdc.before_watermark@2")
    assert found[0] == "cdc.before_watermark@2: exact", "readers do not see what no watermark names"
    assert "changes instead of" in found[1]
