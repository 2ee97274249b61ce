"""The rules hold in the tree, and each rule finds its violation."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.source import tree_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "warehouse", "transforms", "features", "training", "serving", "orchestration", "tests")
TOP_LEVEL = {*PACKAGES, "docs", ".ci", "pyproject.toml", "README.md", "Makefile", "requirements.lock"}
HEAVY = {"torch", "pyspark", "dagster", "dbt", "mlflow", "feast", "polars", "deltalake"}
# Drawing a document loads these.
HEAVY |= {"reportlab", "fontTools", "pypdfium2", "pymupdf_fonts"}
Rule = Callable[[ast.Module], Iterator[str]]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def sources(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def complaints(rule: Rule, paths: list[Path]) -> list[str]:
    return [f"{path.relative_to(ROOT)} {line}" for path in paths for line in rule(tree_of(path))]


def api_files(*, besides: tuple[str, ...] = (), name: str = "*.py") -> list[Path]:
    return [path for path in sources("api") if path.match(name) and not str(path.relative_to(ROOT)).startswith(besides)]


def test_only_the_kernel_commits() -> None:
    # Migrations, the loaders and the sandbox's ledger run single-writer transactions outside of requests.
    assert (
        complaints(
            rules.commits_outside_the_kernel,
            api_files(
                besides=("api/kernel/db.py", "api/operations/migrate.py", "api/operations/load/", "api/sandbox/")
            ),
        )
        == []
    )


def test_only_the_kernel_reads_the_time() -> None:
    assert complaints(rules.clocks_outside_the_kernel, api_files(besides=("api/kernel/clock.py",))) == []


def test_money_is_never_a_float() -> None:
    assert complaints(rules.float_money, api_files()) == []


def test_routes_and_pages_hold_no_sql() -> None:
    pages = [path for path in api_files() if path.is_relative_to(ROOT / "api" / "pages")]
    assert complaints(rules.sql_in_routes, [*api_files(name="*/routes.py"), *pages]) == []


def test_rows_are_read_into_classes() -> None:
    # The helpers that read rows into classes use untyped rows.
    assert complaints(rules.untyped_rows, api_files(besides=("api/kernel/db.py",))) == []


@pytest.mark.parametrize(
    ("rule", "clean", "dirty"),
    [
        (rules.commits_outside_the_kernel, "await tx.execute(s)", "await session.commit()"),
        (rules.clocks_outside_the_kernel, "clock.now()", "x = datetime.now(UTC)"),
        (rules.float_money, "def f(total: Decimal): ...", "def f(unit_price: float | None): ..."),
        (
            rules.untyped_rows,
            "async def address_of(tx: ReadTx, actor: Actor, address_id: UUID) -> Address: ...",
            "async def address_of(tx: ReadTx, actor: Actor, address_id: UUID) -> Row[Any]: ...",
        ),
        (rules.sql_in_routes, "from api.orders import queries", "from sqlalchemy import select"),
    ],
)
def test_each_rule_sees_its_violation(rule: Rule, clean: str, dirty: str) -> None:
    assert list(rule(ast.parse(clean))) == []
    assert len(list(rule(ast.parse(dirty)))) == 1


def test_no_file_is_over_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(*PACKAGES)
        if (lines := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


def test_the_top_level_is_the_architecture() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names - TOP_LEVEL if not name.startswith(".")} == set()


def test_no_unfinished_marks_and_no_machine_paths() -> None:
    marks = re.compile(
        r"\b(TO"
        r"DO|FIX"
        r"ME|XX"
        r"X|NotImplemented"
        r"Error)\b|/(?:ro"
        r"ot|ho"
        r"me|wo"
        r"rk)/\w|file://"
        r"/|://[\w.]*pypi[\w.]*/"
    )
    text = [
        path
        for path in tracked()
        if path.suffix in {".py", ".sql", ".md", ".toml", ".yml", ".yaml", ".lock", ".txt", ".sh"}
        or path.name == "Makefile"
    ]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in text
        for match in marks.finditer(path.read_text(errors="replace"))
    ]
    assert found == []


def test_heavy_wheels_never_enter_the_api_process() -> None:
    probe = f"import sys, api.app, api.worker; print(sorted({HEAVY} & set(sys.modules)))"
    env = {"DATABASE_URL": "postgresql://u@127.0.0.1/none", "PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_serving_and_the_registry_import_heavy_wheels_only_when_they_use_them() -> None:
    probe = f"import sys, serving.app, training.registry.register; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
