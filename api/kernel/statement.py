"""One statement composed of several nouns' parts: one round trip and one commit,
while each noun owns the SQL of its tables.

A part is a list of common table expressions. By convention the CTE `gate` decides: it has one row for each change that
may happen. What a part writes names its row of the gate (an open gate has one row, without a name), so either all of a
change is written or nothing. A gate of several rows makes a batch: several checkouts in one round trip and one commit.

All CTEs of one statement see the same snapshot and run in no fixed order. Postgres applies only one of two updates of
the same row and does not say which, so `compose` refuses two parts that write the same table. A table to which each of
them only adds rows of its own, as the outbox, may be written by several.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import TextClause, text


@dataclass(frozen=True, slots=True)
class Part:
    """`ctes`: `name AS (...)`, comma separated, a module constant. `values`: binds; each noun prefixes its own.

    `makes`: the CTEs that it defines. `needs`: the CTEs of earlier parts that it reads. `writes`: the tables that it
    inserts into, updates or deletes from, but for those that it `appends` to: it adds rows that no other part knows. A
    unit test compares all four with the SQL.
    """

    ctes: str
    values: Mapping[str, object] = field(default_factory=dict)
    makes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    writes: frozenset[str] = frozenset()
    appends: frozenset[str] = frozenset()


OPEN_GATE = Part("gate AS (SELECT NULL::uuid AS checkout_id)", makes=("gate",))


def compose(parts: Sequence[Part], select: str) -> tuple[TextClause, dict[str, object]]:
    """`WITH parts... SELECT select` and its binds.

    Raises: ValueError when two parts write the same table, make the same CTE or bind the same name to different values,
    or when a part needs a CTE that no earlier part makes.
    """
    values: dict[str, object] = {}
    for part in parts:
        twice = values.keys() & part.values.keys()
        _refuse("two parts bind differently", (name for name in twice if values[name] != part.values[name]))
        values.update(part.values)
    return _text(
        tuple(_Sql(part.ctes, part.makes, part.needs, part.writes, part.appends) for part in parts), select
    ), values


class _Sql(NamedTuple):
    """A part without its values."""

    ctes: str
    makes: tuple[str, ...]
    needs: tuple[str, ...]
    writes: frozenset[str]
    appends: frozenset[str]


@lru_cache(maxsize=256)
def _text(parts: tuple[_Sql, ...], select: str) -> TextClause:
    """Cached, because finding the binds of a text takes half a millisecond and the shop composes a few dozen different
    texts."""
    made: set[str] = set()
    written: set[str] = set()
    appended: set[str] = set()
    for part in parts:
        _refuse("two parts write the table", (written | appended) & part.writes | written & part.appends)
        _refuse("two parts make the CTE", made.intersection(part.makes))
        _refuse("no earlier part makes the CTE", set(part.needs) - made)
        made.update(part.makes)
        written.update(part.writes)
        appended.update(part.appends)
    return text(f"WITH {', '.join(part.ctes for part in parts)} SELECT {select}")


def _refuse(reason: str, names: Iterable[str]) -> None:
    if found := sorted(names):
        raise ValueError(f"{reason} {', '.join(found)}")
