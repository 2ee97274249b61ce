"""Every command of the product: its options, and that `--help` loads none of the wheels that take seconds to import.

The module of a command parses its options; the work stands in another module, imported once the options are read.
"""

import re
import subprocess
import sys

import pytest

from tests.architecture.test_rules import HEAVY, PACKAGES, ROOT, sources

# Module -> its options, or its commands where it has several.
PROGRAMS: dict[str, set[str]] = {
    "api.operations.invariants": {"--cleanup-seconds", "--json", "--no-gateway"},
    "api.operations.load": {"catalogue", "marketplace", "online-retail"},
    "api.operations.rates": {"example", "load"},
    "api.search.evaluation": {"--data", "--queries", "--samples", "--seed", "--semantic"},
    "features.follow": set(),
    "features.materialise": {"--full", "--json"},
    "orchestration.cli": {
        *(
            "up",
            "down",
            "status",
            "logs",
            "doctor",
            "demo",
            "load",
            "pipeline",
            "rates",
            "verify",
            "sql",
            "lake",
            "mail",
            "evaluate",
            "bench",
        )
    },
    "orchestration.graph.pipeline": {"--from-start", "--json", "--quick"},
    "training.recommender.evaluate": {"--data", "--json", "--recipe"},
    "training.recommender.train": {"--data", "--recipe"},
    "transforms.build": {"--json"},
    "transforms.refresh": {"--json", "--once"},
    "transforms.spark.run": {"--json"},
    "warehouse.mend": {"--json", "--wait"},
    "warehouse.verify": {"--at", "--json", "--wait"},
}
SLOW = HEAVY | {"duckdb", "httpx", "pandas", "psycopg", "pyarrow", "sqlalchemy"}
COMMANDS = {module: names for module, names in PROGRAMS.items() if not any(name.startswith("-") for name in names)}
EVERY_COMMAND = """
import runpy, sys
module, *commands = sys.argv[1:]
for command in commands:
    sys.argv = [module, command, "--help"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        assert not ended.code, command
"""


def answer(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What Python answers; stderr lists every module that it imported."""
    command = [sys.executable, "-X", "importtime", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def slow_imports(done: subprocess.CompletedProcess[str]) -> set[str]:
    imported = re.findall(r"^import time: .*\| +(\w+)", done.stderr, re.MULTILINE)
    assert imported, done.stderr
    return SLOW.intersection(imported)


@pytest.mark.parametrize(("module", "names"), PROGRAMS.items(), ids=PROGRAMS)
def test_help_names_the_options_and_answers_at_once(module: str, names: set[str]) -> None:
    done = answer("-m", module, "--help")

    assert done.returncode == 0, done.stderr
    assert f"Usage: python -m {module} " in done.stdout
    found = set(re.findall(r"^(?: +|│ (?:[* ] +)?)(--[a-z-]+|(?<=│ )[a-z-]+)", done.stdout, re.MULTILINE))
    assert found - {"--help"} == names
    assert slow_imports(done) == set()


@pytest.mark.parametrize("module", COMMANDS)
def test_help_of_every_command_answers_at_once(module: str) -> None:
    done = answer("-c", EVERY_COMMAND, module, *sorted(COMMANDS[module]))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == len(COMMANDS[module])
    assert slow_imports(done) == set()


def test_a_wrong_variable_does_not_keep_souk_from_answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_DBT_THREADS", "many")

    assert answer("-m", "orchestration.cli", "sql", "--help").returncode == 0


def test_a_slow_import_is_seen() -> None:
    assert slow_imports(answer("-c", "import warehouse.contract")) == {"pyarrow"}


def test_the_table_holds_every_command() -> None:
    declared = [
        path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__main__").replace("/", ".")
        for path in sources(*PACKAGES)
        if re.search(
            r"^@program\(|^app = typer\.Typer\(|^ +typer\.run\(", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        and path.relative_to(ROOT).parts[0] != "tests"
    ]
    assert {name.removesuffix(".app") for name in declared} == set(PROGRAMS)


def test_no_package_reads_its_command_line_by_hand() -> None:
    by_hand = [
        str(name)
        for path in sources(*PACKAGES)
        if ((name := path.relative_to(ROOT)).parts[0] != "tests" or name.parts[1] in {"benchmarks", "generate.py"})
        and re.search(r"\bargparse\b|\bsys\.argv\b", path.read_text(encoding="utf-8"))
    ]
    assert by_hand == []
