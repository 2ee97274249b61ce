"""One statement out of several nouns' parts: one round trip, one commit, and each noun still owns the SQL on its
tables.

A part is a list of common table expressions. By convention `gate` is the one that decides: it yields one row when the
change may happen and none when not, and every writing part reads `FROM ..., gate`, so that either all of them write or
none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import TextClause, text


@dataclass(frozen=True, slots=True)
class Part:
    """`ctes`: `name AS (...)`, comma separated. `values`: binds; each noun prefixes its own."""

    ctes: str
    values: Mapping[str, object] = field(default_factory=dict)


OPEN_GATE = Part("gate AS (SELECT NULL::uuid AS checkout_id)")


def compose(parts: Sequence[Part], select: str) -> tuple[TextClause, dict[str, object]]:
    """`WITH parts... SELECT select` and its binds. Raises: ValueError when two parts bind the same name to different
    values."""
    values: dict[str, object] = {}
    for part in parts:
        for name, value in part.values.items():
            if name in values and values[name] != value:
                raise ValueError(f"two parts bind {name} differently")
            values[name] = value
    return text(f"WITH {', '.join(part.ctes for part in parts)} SELECT {select}"), values
