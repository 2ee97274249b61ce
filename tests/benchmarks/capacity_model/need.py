"""Cores, database servers, Redis and bytes of the lake, from requests a second and measured costs. Pure functions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]  # Any: the fields of a result line
Lines = Mapping[str, Mapping[str, Line]]

PROCESSES = ("api", "serving", "worker", "postgres", "redis", "cdc")
BUYING = ("cart", "order")
_READ = ("api", "postgres", "redis")
_RECOMMENDED = (*_READ, "serving")
_BOUGHT = (*_READ, "worker")


@dataclass(frozen=True)
class Measured:
    """Where the cost of one kind of request stands. `processes`: those that it makes work; what others used at the
    time, which also work when nobody asks for anything, is not its cost."""

    kind: str
    words: str
    benchmark: str
    line: str
    processes: tuple[str, ...] = _READ


MEASURED: tuple[Measured, ...] = (
    Measured("detail", "a product's page, from a cache", "reads", "detail"),
    Measured("detail.miss", "a product's page", "reads", "detail.miss"),
    Measured("list", "a page of the list, from a cache", "reads", "list"),
    Measured("list.miss", "a page of the list", "reads", "list.miss"),
    Measured("search", "a search with facets", "reads", "search"),
    Measured("for-you", "for-you", "mixed", "for-you.c32", _RECOMMENDED),
    Measured("related", "related products", "mixed", "related.c32", _RECOMMENDED),
    Measured("cart", "an addition to a cart", "checkout", "cart.add", _BOUGHT),
    Measured("order", "an order", "checkout", "checkout.c32_nine_trip", _BOUGHT),
)
CDC_OF_AN_ORDER = ("cdc", "cdc.cpu.100")


def line_of(lines: Lines, benchmark: str, name: str) -> Line | None:
    """A result line; None when it was not measured."""
    return lines.get(benchmark, {}).get(name)


def cost(lines: Lines, measured: Measured) -> dict[str, float] | None:
    """Processor milliseconds of one request by process; None when it was not measured."""
    line = line_of(lines, measured.benchmark, measured.line)
    if line is None:
        return None
    used = {process: float(line["cpu_ms"].get(process, 0.0)) for process in measured.processes}
    found = dict.fromkeys(PROCESSES, 0.0) | used
    cdc = line_of(lines, *CDC_OF_AN_ORDER)
    if measured.kind == "order" and cdc is not None:
        found["cdc"] = float(cdc["ours"])
    return found


def missing(lines: Lines) -> list[str]:
    """Benchmarks that have to run before everything can be computed, in order."""
    wanted = {measured.benchmark: measured.line for measured in reversed(MEASURED)}
    absent = {
        *(measured.benchmark for measured in MEASURED if line_of(lines, measured.benchmark, measured.line) is None),
        *(name for name, line in (CDC_OF_AN_ORDER,) if line_of(lines, name, line) is None),
    }
    return [name for name in (*wanted, CDC_OF_AN_ORDER[0]) if name in absent]


def cores(
    rates: Mapping[str, float], costs: Mapping[str, Mapping[str, float]], headroom: float
) -> dict[str, dict[str, float]]:
    """Cores by process and kind of request, when a core is used at most for the share `headroom`."""
    return {
        process: {kind: rates[kind] * costs[kind][process] / 1000 / headroom for kind in costs} for process in PROCESSES
    }


@dataclass(frozen=True)
class Servers:
    """Database servers. `buying`: for carts and orders, which are written; `reading`: standbys of the catalog."""

    buying: int
    by_cores: int
    by_log: int
    reading: int


def servers(postgres: Mapping[str, float], log_bytes: float, server_cores: float, server_log_bytes: float) -> Servers:
    """`postgres`: cores by kind of request. Buying is split by buyer until cores and log of each server suffice."""
    written = sum(used for kind, used in postgres.items() if kind in BUYING)
    read = sum(used for kind, used in postgres.items() if kind not in BUYING)
    by_cores, by_log = math.ceil(written / server_cores), math.ceil(log_bytes / server_log_bytes)
    return Servers(max(by_cores, by_log, 1), by_cores, by_log, math.ceil(read / server_cores))


def exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """The power with which a cost grows between two (size, cost)."""
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


def size_at(limit: float, value: float, size: float, power: float) -> float:
    """The size at which a cost that is `value` at `size` reaches `limit`; infinite when it does not grow."""
    return size * (limit / value) ** (1 / power) if power > 0 else math.inf
