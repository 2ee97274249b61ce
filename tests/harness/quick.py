"""Parameters and values of which only some belong to the quick run."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest

Value = TypeVar("Value")


def few(values: Iterable[object], count: int) -> list[object]:
    """Parameters of which only the first `count` belong to the quick run."""
    return [pytest.param(value, marks=() if n < count else pytest.mark.slow) for n, value in enumerate(values)]


# The quick run tries a share of the values at each place, the long one all of them.
in_shares = pytest.mark.parametrize("whole", few([False, True], 1), ids=["share", "whole"])


def share(values: Sequence[Value], turn: int, of: int, *, whole: bool) -> Sequence[Value]:
    """Every `of`-th value, another first one at each `turn`: neighbouring places together try all. All when `whole`."""
    return values if whole else values[turn % of :: of]
