"""`api/nouns.py` is complete: a folder or a module that it misses fails here, and the message says what to do."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import nouns
from api.kernel.jobs import Job
from api.nouns import KERNEL, NOUNS, ROLES, ROOT
from tests.architecture.source import tree_of

# Folders of `api` that are not nouns: separate programs, which no noun imports.
PROGRAMS = {"operations", "sandbox"}
MOST_FILES = 12
# A name in the source -> the only module that may hold it.
DECLARED_IN = {"APIRouter": "routes", "Job": "jobs", "Check": "invariants", "__tablename__": "models"}
# Routers of the kernel belong to no noun; `api.app` names them.
KERNEL_ROUTERS = {"kernel/health.py", "kernel/key_set.py", "kernel/problem_types.py"}


def folders(root: Path) -> set[str]:
    return {path.parent.name for path in root.glob("*/__init__.py")}


def unlisted(root: Path) -> Iterator[str]:
    """Folders of `api` that are neither in the tuple nor a program."""
    for name in sorted(folders(root) - {noun.name for noun in NOUNS} - {KERNEL.name} - PROGRAMS):
        yield (
            f"api/{name} is not in NOUNS: add Noun({name!r}) to api/nouns.py at its layer, and in pyproject.toml"
            f" {name} to the layers of nouns and api.{name} to every contract that lists nouns"
        )


def misplaced(root: Path) -> Iterator[str]:
    """Declarations in a module that nothing reads."""
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] in PROGRAMS or len(place.parts) == 1 or str(place) in KERNEL_ROUTERS:
            continue
        for found in declarations(tree_of(path)) - {path.stem}:
            yield f"api/{place}: nothing reads this module for what it declares; move it into {found}.py of its folder"


def declarations(tree: ast.Module) -> set[str]:
    """The role modules whose declarations a file holds."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]) if name in DECLARED_IN:
                found.add(DECLARED_IN[name])
    return found


def incomplete(root: Path) -> Iterator[str]:
    """Role modules without the name that is read from them."""
    for role, name in ROLES.items():
        for path in sorted(root.glob(f"*/**/{role}.py")):
            defined = {
                target.id
                for node in tree_of(path).body
                if isinstance(node, ast.Assign | ast.AnnAssign)
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
            if path.relative_to(root).parts[0] not in PROGRAMS and name not in defined:
                yield f"api/{path.relative_to(root)} defines no {name}: api/nouns.py reads that name"


def crowded(root: Path) -> Iterator[str]:
    """Folders of nouns with more files than a reader takes in at once."""
    for folder in sorted(path.parent for path in root.rglob("__init__.py")):
        place = folder.relative_to(root)
        files = len(list(folder.glob("*.py"))) - 1
        if place.parts and place.parts[0] not in PROGRAMS | {KERNEL.name} and files > MOST_FILES:
            yield f"api/{place} has {files} files: put those of one sub-noun into a folder (at most {MOST_FILES})"


def test_a_noun_fits_on_a_page(tmp_path: Path) -> None:
    assert list(crowded(ROOT)) == []

    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("__init__", *(f"file_{n}" for n in range(MOST_FILES + 1))):
        (folder / f"{name}.py").touch()
    assert list(crowded(tmp_path)) == [
        "api/checkout has 13 files: put those of one sub-noun into a folder (at most 12)"
    ]


def test_the_tuple_and_the_folders_are_the_same() -> None:
    assert list(unlisted(ROOT)) == []
    assert {noun.name for noun in NOUNS} <= folders(ROOT), "a noun of api/nouns.py has no folder"


def test_every_declaration_is_where_it_is_read() -> None:
    assert list(misplaced(ROOT)) == []
    assert list(incomplete(ROOT)) == []


def test_every_module_of_a_role_is_picked_up() -> None:
    listed = {
        module.__file__ for noun in (KERNEL, *NOUNS) for role in (*ROLES, "models") for module in noun.modules(role)
    }
    there = {
        str(path)
        for role in (*ROLES, "models")
        for path in ROOT.glob(f"*/**/{role}.py")
        if path.relative_to(ROOT).parts[0] not in PROGRAMS
    }

    assert listed == there


def test_names_are_unique() -> None:
    jobs, checks = [job.name for job in nouns.jobs()], [check.name for check in nouns.invariants()]

    assert len(jobs) == len(set(jobs))
    assert len(checks) == len(set(checks))
    assert all(isinstance(job, Job) for job in nouns.jobs())
    assert nouns.failpoints()


# The nouns that tests change.
CHANGED = {"carts", "payments", "pricing"}


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """A copy of `api`'s folders, and of the Python files of some nouns, for the tests to change."""
    copied = tmp_path / "api"

    def left_out(folder: str, names: list[str]) -> list[str]:
        changed = bool(CHANGED.intersection(Path(folder).relative_to(ROOT).parts[:1]))
        return [
            name
            for name in names
            if Path(folder, name).is_file() and not (name.endswith(".py") if changed else name == "__init__.py")
        ]

    shutil.copytree(ROOT, copied, ignore=left_out)
    return copied


def test_a_forgotten_noun_is_told_what_to_do(skeleton: Path) -> None:
    assert list(unlisted(skeleton)) == []
    (skeleton / "forgotten").mkdir()
    (skeleton / "forgotten" / "__init__.py").write_text('"""A noun."""\n')

    assert [line.split(":")[0] for line in unlisted(skeleton)] == ["api/forgotten is not in NOUNS"]


@pytest.mark.parametrize(
    ("source", "moved_to"),
    [
        ("api/carts/routes.py", "routes"),
        ("api/carts/jobs.py", "jobs"),
        ("api/carts/models.py", "models"),
        ("api/payments/invariants.py", "invariants"),
    ],
)
def test_a_module_that_nothing_reads_is_told_where_to_go(skeleton: Path, source: str, moved_to: str) -> None:
    original = skeleton.parent / source
    original.rename(original.with_name("other.py"))

    assert [line.partition("move it into ")[2] for line in misplaced(skeleton)] == [f"{moved_to}.py of its folder"]


@pytest.mark.parametrize(("role", "name"), ROLES.items())
def test_a_role_without_its_name_is_seen(skeleton: Path, role: str, name: str) -> None:
    (skeleton / "pricing" / f"{role}.py").write_text("OTHER = ()\n")

    assert list(incomplete(skeleton)) == [f"api/pricing/{role}.py defines no {name}: api/nouns.py reads that name"]
