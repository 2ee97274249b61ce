"""The wheel holds every file that is read at run time: templates, styles, dbt's files, the contract."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence

from tests.architecture.test_rules import ROOT, tracked

SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGE_DATA: Mapping[str, Sequence[str]] = SETUPTOOLS["package-data"]
# Read only when a migration is written, from the repository.
NOT_READ = {"api/operations/migrations/script.py.mako"}
FOLDERS = tuple(name.removesuffix("*") for name in SETUPTOOLS["packages"]["find"]["include"])


def left_out(data: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Files of the packages that the wheel would lack."""
    packed = {
        path
        for package, patterns in data.items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    for path in tracked():
        place = path.relative_to(ROOT)
        if (
            place.parts[0] in FOLDERS
            and path.suffix not in {".py", ".md"}
            and path not in packed
            and str(place) not in NOT_READ
        ):
            yield f"{place}: add it to [tool.setuptools.package-data] in pyproject.toml"


def test_files_that_are_read_at_run_time_are_in_the_wheel() -> None:
    assert list(left_out(PACKAGE_DATA)) == []


def test_a_page_whose_files_are_not_packed_is_named() -> None:
    data = {package: patterns for package, patterns in PACKAGE_DATA.items() if package != "api.pages.seller"}
    found = list(left_out(data))

    assert "api/pages/seller/templates/base.html: add it to [tool.setuptools.package-data] in pyproject.toml" in found
    assert all(line.startswith("api/pages/seller/") for line in found)
