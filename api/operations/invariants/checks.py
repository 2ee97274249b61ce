"""Every noun's invariants, in the order of their numbers."""

from api import nouns
from api.kernel.invariants import Check


def _number(check: Check) -> int:
    """`R-I10-path` -> 10."""
    return int(check.name.split("-")[1].removeprefix("I"))


CHECKS: tuple[Check, ...] = tuple(sorted(nouns.invariants(), key=_number))
