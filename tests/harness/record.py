"""The time of every test folder, stored in docs/results/tests.jsonl by `make test RECORD=1`, and the budget of each.

Loaded as a pytest plugin (`-p tests.harness.record`), it sums setup, call and teardown of a whole run that passed.
A folder's seconds are the sum over its tests. The line `make test` is the elapsed time, about half of it with two
workers.
"""

import functools
import time
from collections import defaultdict
from collections.abc import Mapping

import pytest

from tests.benchmarks.results import latest, record

NAME = "tests"
WHOLE = "make test, on the clock"
# Seconds of each folder's tests on two idle cores. A recorded figure above TOLERANCE times its budget fails
# tests/architecture/test_budget.py: make the folder faster, or raise the budget here and say why.
BUDGET = {
    WHOLE: 820,  # the short set may take 900 on a slow machine
    "architecture": 60,
    "chaos": 50,
    "e2e": 280,  # not in the short set
    "integration/api": 600,
    "integration/features": 30,
    "integration/orchestration": 95,
    "integration/serving": 35,
    "integration/training": 20,
    "integration/transforms": 80,
    "integration/warehouse": 70,
    "property": 55,
    "security": 85,
    "unit": 110,
}
TOLERANCE = 1.5


def folder_of(file: str) -> str:
    """`integration/api` for tests/integration/api/...; the first folder for other files."""
    parts = file.split("/")[1:-1]
    return "/".join(parts[: 2 if parts[:1] == ["integration"] else 1])


@functools.lru_cache(maxsize=1)
def recorded_seconds() -> dict[str, float]:
    """The last recorded seconds of each test file; empty before the first record."""
    files: dict[str, float] = {}
    for line in latest(NAME).values():
        found = line.get("files", {})
        assert isinstance(found, dict)
        files |= found
    return files


def over_budget(lines: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    """Folders whose recorded seconds are above TOLERANCE times their budget, with those seconds."""
    seconds = {name: float(str(line["ours"])) for name, line in lines.items() if name in BUDGET}
    return {name: took for name, took in seconds.items() if took > TOLERANCE * BUDGET[name]}


class Seconds:
    """The seconds of a run's tests, by file."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.by_file: dict[str, float] = defaultdict(float)
        self.tests: dict[str, int] = defaultdict(int)

    def add(self, report: pytest.TestReport) -> None:
        file = report.nodeid.split("::", 1)[0]
        self.by_file[file] += report.duration
        self.tests[file] += report.when == "setup"

    def write(self) -> None:
        """Write one line per folder, and one for the whole run."""
        folders: dict[str, dict[str, float]] = defaultdict(dict)
        for file, seconds in self.by_file.items():
            folders[folder_of(file)][file] = round(seconds, 1)
        for folder, files in sorted(folders.items()):
            longest = max(files, key=lambda file: files[file])
            tests = sum(self.tests[file] for file in files)
            note = f"{tests} tests; the longest file {longest.rsplit('/', 1)[1]} {files[longest]:.0f} s"
            _line(folder, sum(files.values()), note, tests, dict(sorted(files.items())))
        tests = sum(self.tests.values())
        _line(WHOLE, time.monotonic() - self.began, f"{tests} tests", tests, {})


def _line(name: str, seconds: float, note: str, tests: int, files: dict[str, float]) -> None:
    record(
        NAME,
        name,
        ours=round(seconds, 1),
        limit=BUDGET.get(name),
        unit="s",
        lower_is_better=True,
        note=note,
        tests=tests,
        **({"files": files} if files else {}),
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A run that makes the record is not judged by the record before: a slow one could never be replaced."""
    judged = [item for item in items if item.path.name == "test_budget.py"]
    items[:] = [item for item in items if item not in judged]
    config.hook.pytest_deselected(items=judged)


def pytest_configure(config: pytest.Config) -> None:
    """Record only in the process that receives every report."""
    if not hasattr(config, "workerinput"):
        config.stash[_SECONDS] = Seconds()
        config.pluginmanager.register(_Recorder(config.stash[_SECONDS]))


_SECONDS = pytest.StashKey[Seconds]()


class _Recorder:
    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds.add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        terminalreporter.ensure_newline()
        if exitstatus == 0:
            self._seconds.write()
