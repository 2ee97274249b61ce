"""Each import contract of pyproject.toml fails, by its name, when a copy of the tree gets an import it forbids."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api.nouns import NOUNS
from tests.architecture.test_rules import ROOT, sources

LINTER = Path(sys.executable).parent / "lint-imports"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in CONFIG["contracts"]}
# contract -> (file, import that it forbids); one contract may have several.
BREAKS = [
    (
        "Data flows one way: orchestration > training | serving > features | transforms > warehouse",
        "warehouse/settings.py",
        "import orchestration.cli",
    ),
    (
        "Data flows one way: orchestration > training | serving > features | transforms > warehouse",
        "training/settings.py",
        "import serving.app",
    ),
    ("The shop imports no other package", "api/app.py", "import warehouse.settings"),
    ("No other package imports the shop", "training/settings.py", "import api.kernel.ids"),
    ("Heavy wheels never enter the shop's process", "api/search/documents.py", "import torch"),
    ("Serving loads bundles, it neither trains nor orchestrates", "serving/app.py", "import mlflow"),
    (
        "Training is layers: a model family > registry > judging > data",
        "training/data/cases.py",
        "import training.judging.metrics",
    ),
    (
        "Training is layers: a model family > registry > judging > data",
        "training/registry/register.py",
        "import training.recommender.fit",
    ),
    (
        "Serving is layers: app > recommender > bundle",
        "serving/bundle/read.py",
        "import serving.recommender.assortment",
    ),
    ("Serving is layers: app > recommender > bundle", "serving/recommender/state.py", "import serving.app"),
    ("The shop's kernel imports no noun", "api/kernel/outbox.py", "import api.orders.states"),
    (
        "A noun's files are layers: routes > jobs > commands > queries > schemas > models > errors",
        "api/carts/queries.py",
        "import api.carts.commands",
    ),
    (
        "A noun's files are layers: routes > jobs > commands > queries > schemas > models > errors",
        "api/identity/models.py",
        "import api.identity.schemas",
    ),
    ("Nouns are layers: a noun imports only nouns below it", "api/catalog/facets.py", "import api.carts.errors"),
    ("Nouns are layers: a noun imports only nouns below it", "api/inventory/errors.py", "import api.sellers.models"),
    (
        "No noun imports the operator's programs or the sandbox",
        "api/payments/commands.py",
        "import api.sandbox.schemas",
    ),
    (
        "No noun imports the operator's programs or the sandbox",
        "api/orders/jobs.py",
        "import api.operations.invariants.run",
    ),
    (
        "The sandbox is another company: of the shop it imports the clock, its settings base and its server",
        "api/sandbox/app.py",
        "import api.kernel.money",
    ),
]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of every package's Python files and of the contracts, shared by all cases."""
    root = tmp_path_factory.mktemp("contracts")
    for path in sources(*CONFIG["root_packages"]):
        target = root / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert broken(root) == set()
    return root


def broken(root: Path) -> set[str]:
    """The names of the contracts that do not hold in `root`."""
    env = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": "400"}
    done = subprocess.run([str(LINTER)], cwd=root, env=env, capture_output=True, text=True, check=False)
    found = set(re.findall(r"^(.+) BROKEN\b", done.stdout, re.MULTILINE))
    assert (done.returncode != 0) == bool(found), done.stdout + done.stderr
    return found


@pytest.mark.parametrize(("contract", "file", "forbidden"), BREAKS, ids=[f"{file}: {line}" for _, file, line in BREAKS])
def test_a_forbidden_import_breaks_its_contract(copied: Path, contract: str, file: str, forbidden: str) -> None:
    path = copied / file
    original = path.read_text()
    path.write_text(f"{original}\n{forbidden}\n")
    try:
        assert contract in broken(copied)
    finally:
        path.write_text(original)


def test_every_contract_is_broken_once() -> None:
    assert {name for name, _, _ in BREAKS} == set(CONTRACTS)


def test_the_layers_of_the_contract_are_the_list_of_nouns() -> None:
    layers = CONTRACTS["Nouns are layers: a noun imports only nouns below it"]["layers"]

    assert [name.strip() for layer in layers for name in layer.split("|")] == [noun.name for noun in NOUNS] + ["kernel"]


def test_the_document_says_the_layers_of_the_contract() -> None:
    layers = CONTRACTS["Nouns are layers: a noun imports only nouns below it"]["layers"]

    assert f"`{' > '.join(layers)}`" in (ROOT / "docs" / "architecture.md").read_text(), "docs/architecture.md, rule 2"


def test_contracts_name_every_noun() -> None:
    """A contract that lists nouns lists all of them."""
    nouns = {f"api.{noun.name}" for noun in NOUNS}
    for name, contract in CONTRACTS.items():
        for key in ("source_modules", "forbidden_modules", "containers"):
            listed = nouns & set(contract.get(key, ()))
            assert listed in (set(), nouns), f"{name}: {key} lacks {nouns - listed}"
