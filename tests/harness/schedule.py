"""How test files are distributed over worker processes (pytest-xdist).

A file runs in one worker, so that its module fixtures are made once. Files that share a costly fixture (built marts, a
whole platform) run in the same worker. The unit with the longest recorded time starts first. Two units that each need
the whole machine never run at the same time.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

# A costly fixture of a session or a folder -> the units of the tests that use it.
SHARED_BY_FIXTURE = {"built_marts": ("marts",), "platform": ("platform",), "durable_postgres": ("crash",)}
UNITS: dict[str, tuple[str, ...]] = {
    "platform": ("tests/e2e",),
    "crash": (
        "tests/chaos/test_checkout_crash.py",
        "tests/chaos/test_edit_crash.py",
        "tests/chaos/test_digital_crash.py",
    ),
    "marts": (
        "tests/integration/transforms/test_build.py",
        "tests/integration/api/pages/test_admin.py",
        "tests/integration/transforms/test_behaviour.py",
        "tests/integration/transforms/test_incremental.py",
        "tests/integration/transforms/test_withheld_refreshes.py",
        "tests/integration/transforms/test_refreshes_and_builds.py",
        "tests/integration/transforms/test_ratings.py",
        "tests/integration/transforms/test_closed_days.py",
        "tests/integration/transforms/test_days.py",
        "tests/integration/transforms/test_parsed.py",
        "tests/integration/transforms/test_jobs.py",
        "tests/integration/orchestration/test_freshness.py",
        "tests/integration/orchestration/test_runs.py",
        "tests/integration/features/test_features.py",
        "tests/integration/features/test_follow.py",
        "tests/integration/api/pages/test_seller.py",
        "tests/integration/serving/test_reads_what_training_reads.py",
    ),
    # They read the same sources.
    "architecture": ("tests/architecture",),
    "spark": (
        "tests/integration/transforms/test_spark_jobs.py",
        "tests/integration/transforms/test_spark_cluster.py",
    ),
}
# Each takes gigabytes and both cores: a platform of eight processes, or a JVM.
HEAVY = ("platform", "spark")
# For a file without a recorded time: a medium value.
_UNKNOWN_SECONDS = 10.0


def unit_of(path: str) -> str:
    """The unit of work that a test file belongs to: itself, or the group that shares a costly fixture."""
    below = {path, *map(str, PurePosixPath(path).parents)}
    return next((name for name, members in UNITS.items() if below.intersection(members)), path)


def longest_first(units: Mapping[str, set[str]], seconds: Mapping[str, float]) -> list[str]:
    """Names of `units` (unit -> its files) by last recorded time, the longest first."""
    took = {unit: sum(seconds.get(file, _UNKNOWN_SECONDS) for file in files) for unit, files in units.items()}
    return sorted(units, key=lambda unit: (-took[unit], unit))


def misplaced(path: str, fixtures: list[str]) -> str | None:
    """Why a test of this file would make a costly fixture a second time; None when it would not."""
    for fixture, units in SHARED_BY_FIXTURE.items():
        if fixture in fixtures and unit_of(path) not in units:
            return f"{path} asks for `{fixture}`: name the file under {units[0]!r} in tests/harness/schedule.py"
    return None


def file_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Return the scheduler of this run to xdist. Only this function needs xdist."""
    from tests.harness.longest_first import LongestFirst

    return LongestFirst(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that uses a costly fixture outside its unit, where each worker would make it again."""
    why = misplaced(file_of(item.nodeid), getattr(item, "fixturenames", []))
    if why is not None:
        pytest.fail(why, pytrace=False)
