"""Files that the shop and the data packages both need have the same text in both: neither may import the other."""

import re
from pathlib import Path

import pytest

from api import nouns
from api.events import stream
from api.kernel import failpoints
from tests.harness.processes import ROOT
from warehouse.events import redis_source
from warehouse.failpoints import POINTS

COPIES = ("environment.py", "failpoints.py", "files.py", "logs.py", "quiet_server.py")


def _pair(name: str) -> tuple[Path, Path]:
    return ROOT / "warehouse" / name, ROOT / "api" / "kernel" / name


def _shared(path: Path) -> str:
    """The text without the names of the package's own failpoints."""
    return re.sub(r"^POINTS = frozenset\(.*?\n\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_its_original(name: str) -> None:
    ours, theirs = _pair(name)
    assert _shared(ours) == _shared(theirs), f"copy one of {ours}, {theirs} over the other; each keeps its POINTS"


def test_no_copy_is_missing_here() -> None:
    """A file name in both folders is in the list, or names two different things."""
    names = set.intersection(*({path.name for path in _pair("x")[side].parent.glob("*.py")} for side in (0, 1)))
    assert names - {"__init__.py", "settings.py"} == set(COPIES)


def test_every_point_has_a_prefix_that_the_other_processes_skip() -> None:
    """A package's prefixes are its own: a name that nobody has is an error in the process that owns the prefix."""
    shop, lake = ({name.partition(".")[0] for name in points} for points in (nouns.failpoints(), POINTS))

    assert shop.isdisjoint(lake)
    assert shop | lake == failpoints.PREFIXES, "list the prefix in PREFIXES of both copies of failpoints.py"


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


def test_the_shop_and_the_lake_name_the_behaviour_stream_alike() -> None:
    assert (stream.STREAM, stream.LANDED) == (redis_source.STREAM, redis_source.LANDED)
