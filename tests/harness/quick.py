"""Parameters of which only some belong to the quick run."""

from collections.abc import Iterable

import pytest


def few(values: Iterable[object], count: int) -> list[object]:
    """Parameters of which only the first `count` belong to the quick run."""
    return [pytest.param(value, marks=() if n < count else pytest.mark.slow) for n, value in enumerate(values)]
