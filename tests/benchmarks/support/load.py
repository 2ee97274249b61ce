"""What clients saw of a server, as numbers: percentiles, the times of arrivals, and the sum of several runs."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Spread:
    """Percentiles of the waits, in milliseconds; `worst` is the longest one."""

    p50: float
    p95: float
    p99: float
    worst: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.1f}, p95 {self.p95:.1f}, p99 {self.p99:.1f} ms"


def spread(waits: Sequence[float]) -> Spread:
    """Nearest rank: each percentile is a wait that occurred. Raises ValueError without any."""
    if not waits:
        raise ValueError("no waits")
    ordered = sorted(waits)

    def at(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 3)

    return Spread(at(0.50), at(0.95), at(0.99), round(ordered[-1], 3))


def arrivals(rate: float, seconds: float, seed: int = 1) -> list[float]:
    """Seconds from the start at which independent shoppers send a request: a Poisson process of `rate` a second."""
    draw = random.Random(seed)
    times: list[float] = []
    at = draw.expovariate(rate)
    while at < seconds:
        times.append(at)
        at += draw.expovariate(rate)
    return times


@dataclass(frozen=True)
class Load:
    """One run of the clients, or the sum of several.

    `waits`: milliseconds by kind of request, from the intended start in an open loop. `statuses`: how many answers had
    each status. `wrong`: the first answers that were not as expected. `cpu`: processor seconds by process, those of the
    clients included. `others`: processor seconds of every other process on the machine in the `elapsed` seconds from
    the first request until all work was done. `caches`: how many answers had each Cache-Status, `none` without one.
    """

    seconds: float
    waits: Mapping[str, Sequence[float]]
    statuses: Mapping[str, int]
    wrong: tuple[str, ...] = ()
    errors: int = 0
    caches: Mapping[str, int] = field(default_factory=dict)
    body_bytes: int = 0
    cpu: Mapping[str, float] = field(default_factory=dict)
    others: float = 0.0
    elapsed: float = 0.0
    commits: int = 0
    wal_bytes: int = 0

    @property
    def done(self) -> int:
        """Requests that were answered, rightly or not."""
        return sum(map(len, self.waits.values()))

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.done / self.seconds

    @property
    def others_cores(self) -> float:
        """Cores that other processes used."""
        return self.others / self.elapsed

    @property
    def spread(self) -> Spread:
        """Of all kinds of requests together."""
        return spread([wait for waits in self.waits.values() for wait in waits])

    def cpu_ms(self, process: str) -> float:
        """Processor milliseconds of a process for each answer."""
        return self.cpu.get(process, 0.0) * 1000 / self.done

    def __add__(self, other: "Load") -> "Load":
        kinds = {**self.waits, **other.waits}
        return Load(
            seconds=self.seconds + other.seconds,
            waits={kind: [*self.waits.get(kind, ()), *other.waits.get(kind, ())] for kind in kinds},
            statuses=added(self.statuses, other.statuses),
            wrong=(*self.wrong, *other.wrong),
            errors=self.errors + other.errors,
            caches=added(self.caches, other.caches),
            body_bytes=self.body_bytes + other.body_bytes,
            cpu=added(self.cpu, other.cpu),
            others=self.others + other.others,
            elapsed=self.elapsed + other.elapsed,
            commits=self.commits + other.commits,
            wal_bytes=self.wal_bytes + other.wal_bytes,
        )


def added(one: Mapping[str, Number], other: Mapping[str, Number]) -> dict[str, Number]:
    """The sum of two mappings by name."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
