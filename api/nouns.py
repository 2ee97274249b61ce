"""The list of the shop's nouns. Routers, tables, jobs, failpoints, invariants and the rules
of `tests/architecture` are read from it.

A noun is a folder of `api`. Its parts are found by the name of their module, in the
folder or in a sub-folder. All are optional:

| module | must define | read by |
|---|---|---|
| `routes` | `router`, an `APIRouter` | `api.app` |
| `models` | classes derived from `Base` | migrations, the contract, the rule of table owners |
| `jobs` | `JOBS`, a tuple of `Job` | `api.worker` |
| `followers` | `FOLLOWERS`, a tuple of `Follower` | the outbox relay of `api.worker` |
| `drops` | `DROPS`, a tuple of `Drop` | the same |
| `doors` | `DOORS`, a tuple of `Door` | the same |
| `spreads` | `SPREADS`, a tuple of `Spread` | the same |
| `keepers` | `KEEPERS`, a tuple of `Keeper` | the collector of pictures of `api.worker` |
| `failpoints` | `POINTS`, a frozenset of names | `SOUK_FAILPOINTS` |
| `invariants` | `CHECKS`, a tuple of `Check` | `python -m api.operations.invariants` |

Importing this module imports no noun: each function imports only the modules that it reads.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from fastapi import APIRouter
from sqlalchemy import MetaData

from api.kernel.append_only import AppendOnly
from api.kernel.db import Base
from api.kernel.invariants import Check
from api.kernel.jobs import Job
from api.kernel.keeping import Keeper
from api.kernel.outbox import Door, Drop, Follower, Spread

ROOT = Path(__file__).parent
ROLES = {
    "routes": "router",
    "jobs": "JOBS",
    "followers": "FOLLOWERS",
    "drops": "DROPS",
    "doors": "DOORS",
    "spreads": "SPREADS",
    "keepers": "KEEPERS",
    "failpoints": "POINTS",
    "invariants": "CHECKS",
}


@dataclass(frozen=True, slots=True)
class Noun:
    """`name` is the folder's; `prefix` stands before every path of its routers."""

    name: str
    prefix: str = "/api/v1"

    def modules(self, role: str) -> Iterator[ModuleType]:
        """The noun's modules called `role`, imported, in the order of their paths."""
        for path in sorted(ROOT.joinpath(self.name).rglob(f"{role}.py")):
            yield importlib.import_module(".".join(("api", *path.relative_to(ROOT).with_suffix("").parts)))


# From the highest layer to the lowest: a noun imports only nouns below it. The import contract in pyproject.toml has
# the same order, and neighbours of one layer there do not import each other.
NOUNS: tuple[Noun, ...] = (
    Noun("pages", prefix=""),
    Noun("analytics"),
    Noun("agents", prefix=""),
    Noun("checkout"),
    Noun("recommendations"),
    Noun("search"),
    Noun("bulk"),
    Noun("syndication", prefix=""),
    Noun("storefront"),
    Noun("reviews"),
    Noun("orders"),
    Noun("payments"),
    Noun("identity"),
    Noun("carts"),
    Noun("promotions"),
    Noun("catalog"),
    Noun("inventory"),
    Noun("sellers"),
    Noun("pricing"),
    Noun("events"),
    Noun("mail"),
    Noun("media"),
    Noun("shipping"),
    Noun("delivery"),
    Noun("documents"),
)
KERNEL = Noun("kernel")


def routers() -> list[tuple[APIRouter, str]]:
    """Every noun's routers, each with the prefix of its paths."""
    return [(module.router, noun.prefix) for noun in NOUNS for module in noun.modules("routes")]


def jobs() -> list[Job]:
    """What the worker runs: the kernel's jobs, then every noun's."""
    return [job for module in _modules("jobs") for job in module.JOBS]


def followers() -> list[Follower]:
    """What the outbox relay sends to other streams."""
    return [follower for module in _modules("followers") for follower in module.FOLLOWERS]


def drops() -> list[Drop]:
    """What the outbox relay drops from the kept pages."""
    return [drop for module in _modules("drops") for drop in module.DROPS]


def doors() -> list[Door]:
    """What the outbox relay writes to Postgres because of an event."""
    return [door for module in _modules("doors") for door in module.DOORS]


def spreads() -> list[Spread]:
    """What the outbox relay brings up to date because something else has changed."""
    return [spread for module in _modules("spreads") for spread in module.SPREADS]


def keepers() -> list[Keeper]:
    """What goes on to show pictures when their owners do not."""
    return [keeper for module in _modules("keepers") for keeper in module.KEEPERS]


def failpoints() -> frozenset[str]:
    """The names that SOUK_FAILPOINTS may hold."""
    return frozenset(point for module in _modules("failpoints") for point in module.POINTS)


def invariants() -> list[Check]:
    """Every check of `python -m api.operations.invariants`."""
    return [check for module in _modules("invariants") for check in module.CHECKS]


def metadata() -> MetaData:
    """All tables of the shop in one metadata."""
    for _ in _modules("models"):
        pass  # importing a module of models adds its tables to the metadata
    return Base.metadata


def unpublished_tables() -> frozenset[str]:
    """Tables that never leave Postgres: secrets, saga state and addresses."""
    metadata()
    return frozenset(
        str(mapper.class_.__tablename__)
        for mapper in Base.registry.mappers
        if getattr(mapper.class_, "__unpublished__", False)
    )


def journals() -> dict[str, AppendOnly]:
    """The append-only tables, each with what may still happen to its rows."""
    metadata()
    marked = {
        str(mapper.class_.__tablename__): getattr(mapper.class_, "__append_only__", None)
        for mapper in Base.registry.mappers
    }
    return {table: mark for table, mark in sorted(marked.items()) if isinstance(mark, AppendOnly)}


def table_owners() -> dict[str, str]:
    """Table name -> the noun (or `kernel`) whose models declare it."""
    metadata()
    return {
        str(mapper.class_.__tablename__): mapper.class_.__module__.split(".")[1] for mapper in Base.registry.mappers
    }


def _modules(role: str) -> Iterator[ModuleType]:
    for noun in (KERNEL, *NOUNS):
        yield from noun.modules(role)
