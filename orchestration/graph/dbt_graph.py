"""dbt's graph, read from the project's SQL and yml files.

It needs neither dbt nor a manifest, so Dagster loads on a machine where nothing has run. A test compares it with the
manifest that dbt writes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # the wheel has no types

from orchestration.graph.code_version import version_of

_REF = re.compile(r"ref\(\s*'(\w+)'\s*\)")
_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\(.*?endmacro", re.DOTALL)
_SOURCE = re.compile(r"source\(\s*'(\w+)'\s*,\s*'(\w+)'\s*\)")
# dbt's sources whose tables are assets of the same name. `build`, which the build itself fills, is not among them.
_ASSETS = {"lake", "derived", "behaviour"}
GROUPS = {"staging": "transforms", "intermediate": "transforms", "marts": "transforms", "features": "features"}


@dataclass(frozen=True)
class DbtModel:
    """One model.

    `layer`: its folder, `consumer`: the folder in it ("" when there is none). `parents`: the models and tables of the
    lake, those of the jobs included, that it reads. `tested`: whether dbt has data tests on it. `version`: a hash of
    its SQL, its yml entry and the macros.
    """

    name: str
    layer: str
    consumer: str
    description: str
    parents: tuple[str, ...]
    tested: bool
    version: str

    @property
    def group(self) -> str:
        return GROUPS[self.layer]


@cache
def read_project(project: Path) -> tuple[DbtModel, ...]:
    """Every model of a dbt project, parents before children."""
    described = {str(entry["name"]): entry for entry in _yaml_models(project / "models")}
    macros, written = _macro_reads(project / "macros"), version_of(project / "macros")
    found = []
    for path in sorted((project / "models").rglob("*.sql"), key=lambda path: path.stem):
        text = path.read_text(encoding="utf-8")
        tables = [table for source, table in _SOURCE.findall(text) if source in _ASSETS]
        entry = described.get(path.stem, {})
        layer, *folders = path.relative_to(project / "models").parts[:-1]
        found.append(
            DbtModel(
                name=path.stem,
                layer=layer,
                consumer=folders[0] if folders else "",
                description=" ".join(str(entry.get("description") or "").split()),
                parents=tuple(sorted({*_REF.findall(text), *tables, *_read_by_macros(text, macros)} - {path.stem})),
                tested=_tested(entry),
                version=sha256(
                    f"{text}\n{json.dumps(entry, sort_keys=True, default=str)}\n{written}".encode()
                ).hexdigest()[:12],
            )
        )
    by_name = {model.name: model for model in found}
    order = TopologicalSorter(
        {model.name: [p for p in model.parents if p in by_name] for model in found}
    ).static_order()
    return tuple(by_name[name] for name in order)


def _macro_reads(folder: Path) -> dict[str, set[str]]:
    """Macro -> models its body reads."""
    bodies = [
        found for path in sorted(folder.rglob("*.sql")) for found in _MACRO.finditer(path.read_text(encoding="utf-8"))
    ]
    return {found.group(1): set(_REF.findall(found.group(0))) for found in bodies}


def _read_by_macros(text: str, macros: dict[str, set[str]]) -> set[str]:
    return {model for name, models in macros.items() if models and re.search(rf"\b{name}\(", text) for model in models}


def _yaml_models(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.rglob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        yield from document.get("models", ())


def _tested(entry: dict[str, object]) -> bool:
    """Whether the model or one of its columns lists data tests."""
    columns = entry.get("columns") or []
    assert isinstance(columns, list)
    return any("data_tests" in part or "tests" in part for part in (entry, *columns))
