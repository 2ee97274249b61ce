"""What a background job is; each noun lists its own, the worker runs them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.kernel.context import Context


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does what is due now and returns how many things it did; it is called again `every_seconds` after it ended."""

    name: str
    every_seconds: float
    run: Callable[[Context], Awaitable[int]]
