"""Files that the shop and the data packages both need have the same text in both: neither may import the other."""

import re
from pathlib import Path

import pytest

from tests.harness.processes import ROOT

COPIES = ("environment.py", "files.py", "logs.py")


def _pair(name: str) -> tuple[Path, Path]:
    return ROOT / "warehouse" / name, ROOT / "api" / "kernel" / name


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_its_original(name: str) -> None:
    ours, theirs = _pair(name)
    same = ours.read_text(encoding="utf-8") == theirs.read_text(encoding="utf-8")
    assert same, f"copy one of {ours}, {theirs} over the other"


def test_no_copy_is_missing_here() -> None:
    """A file name in both folders is in the list, or names two different things."""
    names = set.intersection(*({path.name for path in _pair("x")[side].parent.glob("*.py")} for side in (0, 1)))
    assert names - {"__init__.py", "settings.py", "failpoints.py"} == set(COPIES)


def test_nothing_else_renames_or_syncs() -> None:
    packages = ("api", "features", "orchestration", "serving", "training", "transforms", "warehouse")
    syncing = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if "os.fsync" in path.read_text(encoding="utf-8")
    }
    assert syncing == {"warehouse/files.py", "api/kernel/files.py"}


def test_nothing_else_logs_by_the_standard_library() -> None:
    packages = ("api", "features", "orchestration", "serving", "training", "transforms", "warehouse")
    logging = {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^ *(import logging|from logging)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert logging == {"warehouse/logs.py", "api/kernel/logs.py"}
