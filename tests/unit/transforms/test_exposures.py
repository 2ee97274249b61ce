"""dbt's exposures are true: a mart is declared as read by exactly the code that reads it, and no mart is without a
reader."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # the wheel has no types

from tests.harness.processes import ROOT
from transforms.settings import DBT_PROJECT

MARTS = DBT_PROJECT / "models" / "marts"
PACKAGES = ("api", "features", "orchestration", "serving", "training", "transforms", "warehouse")
FOR_PEOPLE = ("core", "behaviour")
# A mart in SQL: after FROM or JOIN, or with the name of its schema or database.
_READ = re.compile(r"(?:\b(?:from|join)\s+|\b\w+\.)((?:dim|fct|mart)_\w+)", re.IGNORECASE)


def exposures() -> dict[str, dict[str, object]]:
    document = yaml.safe_load((MARTS / "_exposures.yml").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in document["exposures"]}


def declared(exposure: dict[str, object]) -> set[str]:
    return set(re.findall(r"ref\('(\w+)'\)", str(exposure["depends_on"])))


def code_of(exposure: dict[str, object]) -> list[str]:
    meta = exposure["meta"]
    assert isinstance(meta, dict)
    return list(meta.get("code", ()))


def strings_of(source: str) -> Iterator[str]:
    """The texts of a module that are no docstrings."""
    tree = ast.parse(source)
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = [node.body[0] for node in ast.walk(tree) if isinstance(node, owners) and ast.get_docstring(node)]
    documented = {id(part) for doc in docs for part in ast.walk(doc)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value


def marts_read_in(source: str) -> set[str]:
    return {mart for text in strings_of(source) for mart in _READ.findall(text)}


def marts_read_by(folder: str) -> set[str]:
    return {mart for path in (ROOT / folder).rglob("*.py") for mart in marts_read_in(path.read_text(encoding="utf-8"))}


def folder_of_marts() -> dict[str, str]:
    return {path.stem: path.parent.name for path in MARTS.rglob("*.sql")}


@pytest.mark.parametrize("name", [name for name, exposure in exposures().items() if code_of(exposure)])
def test_an_exposure_declares_exactly_what_its_code_reads(name: str) -> None:
    exposure = exposures()[name]

    assert declared(exposure) == {mart for folder in code_of(exposure) for mart in marts_read_by(folder)}


def test_every_reader_of_a_mart_is_declared() -> None:
    covered = [folder for exposure in exposures().values() for folder in code_of(exposure)]
    readers = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if marts_read_in(path.read_text(encoding="utf-8"))
    ]

    assert [path for path in readers if not path.startswith(tuple(f"{folder}/" for folder in covered))] == []


def test_a_mart_is_for_people_or_has_a_reader() -> None:
    """Marts of the analysts' folders are what `souk sql` is for; another mart that no code reads must be deleted."""
    folders = folder_of_marts()
    read_by_code = set().union(*(declared(exposure) for exposure in exposures().values() if code_of(exposure)))

    assert declared(exposures()["analysts"]) == {mart for mart, folder in folders.items() if folder in FOR_PEOPLE}
    assert {mart for mart, folder in folders.items() if folder not in FOR_PEOPLE} <= read_by_code <= set(folders)


def test_only_tables_in_sql_count_as_read() -> None:
    source = (
        '"""Documents mart_a: SELECT 1 FROM mart_a."""\n'
        'Q = "SELECT x FROM mart_b JOIN fct_c USING (x)"\n'
        'R = f"SELECT {1} FROM main.dim_d"\n'
        'DEPENDS = ["fct_e"]\n'
    )

    assert marts_read_in(source) == {"mart_b", "fct_c", "dim_d"}


def test_the_marts_of_the_folder_exist() -> None:
    assert Path(MARTS / "core" / "fct_orders.sql").exists()
    assert len(folder_of_marts()) > 5
