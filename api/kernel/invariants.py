"""What a check of stored data is. Each noun lists its own in `invariants.py`, and `python -m api.operations.invariants`
runs them all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`name` begins with the invariant it belongs to; `sentence` is what must hold; `sql` finds the rows that break
    it."""

    name: str
    sentence: str
    sql: str
    gateway: bool = False


CHECKS: tuple[Check, ...] = ()
