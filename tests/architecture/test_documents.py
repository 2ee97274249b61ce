"""What docs/seed.md and docs/capacity.md name between backticks exists: files, variables, tables, routes, commands."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from api import nouns
from orchestration.cli.app import app
from orchestration.cli.models import NAMES
from orchestration.runtime.postgres import PostgresCluster
from tests.architecture.test_links import missing_places
from tests.architecture.test_rules import PACKAGES, ROOT
from tests.benchmarks.capacity_model.need import MEASURED
from tests.harness.settings_classes import settings

PAGES = ("seed.md", "capacity.md")
NAMED = re.compile(r"`([^`\n]+)`")
# Fields of an answer, and tables that the pages say are not built.
ELSEWHERE = {"sponsored", "prime_subscriptions", "products.view_count", "/metrics"}


@cache
def _variables() -> frozenset[str]:
    return frozenset(name for setting in settings() for name in setting.variables)


@cache
def _columns() -> frozenset[str]:
    tables = nouns.metadata().tables.values()
    return frozenset(
        {table.name for table in tables} | {f"{t.name}.{column.name}" for t in tables for column in t.columns}
    )


@cache
def _operations() -> frozenset[str]:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return frozenset(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)


@cache
def _postgres() -> frozenset[str]:
    argv = PostgresCluster(Path("/nowhere"), 1, "password").argv()
    return frozenset(part[2:].partition("=")[0] for part in argv if part.startswith("--"))


def _command(name: str) -> bool:
    if name.startswith("souk bench "):
        return name.removeprefix("souk bench ") in NAMES
    return name.removeprefix("souk ") in {str(command.name or "") for command in app.registered_commands} | {
        getattr(command.callback, "__name__", "") for command in app.registered_commands
    }


def _module(name: str) -> bool:
    path = ROOT.joinpath(*name.removeprefix("python -m ").split("."))
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


# How a name begins or looks -> whether it exists. The first pattern that fits decides.
KINDS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(r"souk "), _command),
    (re.compile(r"python -m "), _module),
    (re.compile(r"make "), lambda name: f"\n{name.removeprefix('make ')}:" in (ROOT / "Makefile").read_text()),
    (re.compile(r"(GET|POST|PUT|PATCH|DELETE) /"), lambda name: name in _operations()),
    (re.compile(rf"({'|'.join((*PACKAGES, 'docs'))})/"), lambda name: not list(missing_places(f"`{name}`"))),
    (re.compile(r"[A-Z][A-Z0-9_]+$"), lambda name: name in _variables()),
    (
        re.compile(r"[a-z]"),
        lambda name: name in _columns() or name in _postgres() or name in {one.line for one in MEASURED},
    ),
)


def unknown(page: str) -> Iterator[str]:
    """Names between backticks that nothing has."""
    for name in NAMED.findall(page):
        exists = next((exists for kind, exists in KINDS if kind.match(name)), None)
        if name not in ELSEWHERE and (exists is None or not exists(name)):
            yield name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_what_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")

    assert len(NAMED.findall(text)) > 10
    assert list(unknown(text)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("api/gone.py", "docs/gone.md", "SOUK_NO_SUCH_SETTING", "no_such_table", "orders.no_such_column"),
        *("GET /api/v1/reviews", "souk bench nothing", "souk nothing", "python -m api.nothing", "make nothing", "§"),
    ],
)
def test_a_name_that_nothing_has_is_seen(name: str) -> None:
    known = "`api/app.py` `DATABASE_URL` `orders` `orders.total` `GET /api/v1/products` `souk up` `python -m api`"

    assert list(unknown(f"{known} `make test` `max_wal_size` `souk bench cdc`, and `{name}`.")) == [name]


def test_what_is_excused_is_still_named() -> None:
    text = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)

    assert sorted(name for name in ELSEWHERE if f"`{name}`" not in text) == []
