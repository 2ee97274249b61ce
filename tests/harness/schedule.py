"""How test files are shared between worker processes (pytest-xdist).

A file stays in one worker, so that its module fixtures are made once. Files that share something costly (a built set of
marts, a whole platform) stay in one worker together. What took longest when it was last recorded starts first, and two
units that fill the machine by themselves never run at the same time.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

# A session fixture that costs more than the tests that read it, and the unit that everything asking for it belongs to.
SHARED_BY_FIXTURE = {"built_marts": "marts", "platform": "platform"}
UNITS: dict[str, tuple[str, ...]] = {
    "platform": ("tests/e2e",),
    "marts": (
        "tests/integration/transforms/test_build.py",
        "tests/integration/orchestration/test_runs.py",
        "tests/integration/features/test_features.py",
        "tests/integration/api/pages/test_seller.py",
        "tests/integration/serving/test_reads_what_training_reads.py",
    ),
}
# Each takes gigabytes and both cores: a platform of eight processes, a JVM beside an own build of the marts.
HEAVY = ("platform", "tests/integration/transforms/test_spark_jobs.py")
# A file that was never recorded: somewhere in the middle.
_UNKNOWN_SECONDS = 10.0


def unit_of(path: str) -> str:
    """The unit of work that a test file belongs to: itself, or the group that shares something costly."""
    below = {path, *map(str, PurePosixPath(path).parents)}
    return next((name for name, members in UNITS.items() if below.intersection(members)), path)


def longest_first(units: Mapping[str, set[str]], seconds: Mapping[str, float]) -> list[str]:
    """Names of `units` (unit to its files) by what they took when last recorded, the longest first."""
    took = {unit: sum(seconds.get(file, _UNKNOWN_SECONDS) for file in files) for unit, files in units.items()}
    return sorted(units, key=lambda unit: (-took[unit], unit))


def misplaced(path: str, fixtures: list[str]) -> str | None:
    """Why a test of this file would make a costly fixture a second time; None when it would not."""
    for fixture, unit in SHARED_BY_FIXTURE.items():
        if fixture in fixtures and unit_of(path) != unit:
            return f"{path} asks for `{fixture}`: name the file under {unit!r} in tests/harness/schedule.py"
    return None


def file_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """xdist asks for the scheduler of this run; nothing here needs xdist otherwise."""
    from tests.harness.longest_first import LongestFirst

    return LongestFirst(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A costly fixture asked for outside its unit would be made once a worker: the test fails instead."""
    why = misplaced(file_of(item.nodeid), getattr(item, "fixturenames", []))
    if why is not None:
        pytest.fail(why, pytrace=False)
