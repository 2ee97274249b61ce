"""`python -m tests.generate [--check]`: render every generated file of the repository, in the order in which one needs
another.

`make generate` runs it. `--check` writes nothing, names what is stale and exits 1. One entry of `GENERATED` is all that
a new generated file needs: `tests/architecture/test_generated.py` reads the same list.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks import render as figures
from tests.benchmarks.curves import CURVES
from tests.harness.processes import ROOT
from warehouse.command import program


@dataclass(frozen=True)
class Generated:
    """A file and the function that gives its whole text. `source`: what a person edits instead."""

    path: Path
    source: str
    render: Callable[[], str]

    @property
    def name(self) -> str:
        """The path from the repository's root."""
        return str(self.path.relative_to(ROOT))

    def stale(self) -> bool:
        """Whether the file is not what its source says now."""
        return not self.path.exists() or self.path.read_text(encoding="utf-8") != self.render()


def _contract() -> str:
    from api.operations import contract

    return contract.render()


def _sources() -> str:
    from transforms import sources
    from warehouse.contract import load_contract

    return sources.render(load_contract(ROOT / "warehouse" / "contracts" / "oltp.json"))


def _feature_contracts() -> str:
    from features import contracts

    return contracts.render()


def _graph() -> str:
    from tests.harness.dagster_graph import rendered

    return json.dumps(rendered(), indent=1, sort_keys=True) + "\n"


def _openapi() -> str:
    """The document of an API with default settings; making it needs no database."""
    from api.app import create_app
    from api.kernel.settings import Settings

    settings = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SOUK_PROFILE": "test"}
    document = create_app(Settings.model_validate(settings)).openapi()
    return _outline(document, levels=3) + "\n"


def _outline(value: object, levels: int, indent: str = "") -> str:
    """JSON with one line for everything below `levels`: a diff names the operation or schema that changed."""
    if not isinstance(value, dict) or not value or levels == 0:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    inner = indent + " "
    pairs = (f"{inner}{json.dumps(key)}: {_outline(value[key], levels - 1, inner)}" for key in sorted(value))
    return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"


def _settings() -> str:
    from tests.harness import settings_classes

    return settings_classes.render()


def _privacy() -> str:
    from api.orders.queries import privacy

    return privacy.render()


def _page(path: Path) -> Generated:
    return Generated(path, "docs/results/*.jsonl", lambda: figures.render(path))


_DBT = ROOT / "transforms" / "dbt" / "models"
GENERATED: tuple[Generated, ...] = (
    Generated(ROOT / "warehouse" / "contracts" / "oltp.json", "api/<noun>/models.py", _contract),
    Generated(_DBT / "staging" / "_sources.yml", "warehouse/contracts/oltp.json", _sources),
    Generated(_DBT / "features" / "_features.yml", "features/columns.py", _feature_contracts),
    Generated(
        ROOT / "tests" / "integration" / "orchestration" / "__snapshots__" / "dagster_graph.json",
        "orchestration/graph",
        _graph,
    ),
    Generated(ROOT / "docs" / "openapi.json", "api/<noun>/routes.py and schemas.py", _openapi),
    Generated(ROOT / "docs" / "privacy.md", "api/orders/queries/privacy.py", _privacy),
    Generated(ROOT / "docs" / "settings.md", "the settings.py of every package", _settings),
    *(_page(ROOT / name) for name in figures.PAGES),
    *(Generated(curve.path, f"docs/results/{curve.benchmark}.jsonl", curve.render) for curve in CURVES),
)


@program("python -m tests.generate")
def main(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 when something is stale.")] = False,
) -> int:
    """Render every generated file that is stale."""
    stale = []
    for item in GENERATED:
        if item.stale():
            stale.append(item.name)
            if not check:
                item.path.parent.mkdir(parents=True, exist_ok=True)
                item.path.write_text(item.render(), encoding="utf-8")
    verb = "stale" if check else "rendered"
    sys.stdout.write(f"{verb}: {', '.join(stale) or 'nothing'}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
