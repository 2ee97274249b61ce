"""The tables of docs/capacity.md, rendered from docs/results. A figure that was not measured names its command."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.benchmarks.capacity_model import traffic
from tests.benchmarks.capacity_model.limits import ORDER, limits
from tests.benchmarks.capacity_model.need import (
    MEASURED,
    PROCESSES,
    Lines,
    cores,
    cost,
    exponent,
    line_of,
    missing,
    servers,
    size_at,
)
from tests.benchmarks.capacity_model.traffic import VALUES, rates
from tests.benchmarks.results import latest

BENCHMARKS = ("capacity", "cdc", "checkout", "fresh", "mixed", "reads")
_FACTORS = (1, 10, 100)
_DAYS = 365
# The night's rebuild begins at 02:00 and ends by 04:00; sellers' marts are two minutes old at most.
NIGHT_SECONDS, SELLER_SECONDS = 7_200.0, 120.0


def results() -> Lines:
    """The newest line per name of each benchmark."""
    return {name: latest(name) for name in BENCHMARKS}


def block(name: str, lines: Lines) -> str:
    """One table of the page."""
    return BLOCKS[name](lines)


def about(value: float) -> str:
    """Three significant digits, with separators of thousands."""
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "never"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    rounded = round(value, 2 - math.floor(math.log10(abs(value))))
    text = f"{rounded:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(value: float) -> str:
    """Bytes with a unit."""
    for factor, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{about(value / factor)} {unit}"
    return f"{about(value)} B"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> str:
    """A Markdown table; the first column and the last `texts` are text, those between are numbers."""
    dashes = [" --- ", *(" ---: " for _ in heads[texts + 1 :]), *(" --- " for _ in range(texts))]
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(dashes)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def run(*benchmarks: str) -> str:
    """What stands where a figure is not there yet."""
    return "_Not measured yet: run " + ", ".join(f"`souk bench {name}`" for name in benchmarks) + "._\n"


def given(_: Lines) -> str:
    """What the design says and what is assumed."""
    rows = [(one.words, f"{about(one.value)} {one.unit}".strip(), one.source) for one in traffic.GIVEN]
    pages = VALUES["views_a_day"] + VALUES["searches_a_day"]
    each = VALUES["requests"] * 86_400 / VALUES["daily_users"]
    second, people = about(VALUES["requests"]), about(VALUES["daily_users"])
    text = (
        f"All day long, {second} requests a second would be {about(each)} for each of {people} people; the"
        f" {about(pages)} pages and searches a day that the design counts are {about(pages / 86_400)} a second on"
        " average. The tables below are for the first, larger figure.\n"
    )
    return table(("given", "value", "from"), rows) + "\n" + text


def costs(lines: Lines) -> str:
    """Rates and measured costs by kind of request."""
    found, rows = rates(), []
    for one in MEASURED:
        measured = cost(lines, one)
        shown = ["" for _ in PROCESSES] if measured is None else [about(measured[name]) for name in PROCESSES]
        where = f"run `souk bench {one.benchmark}`" if measured is None else f"`{one.line}`"
        rows.append((one.words, about(found[one.kind]), *shown, where))
    return table(("request", "a second", *(f"{name}, ms" for name in PROCESSES), "result line"), rows)


def need(lines: Lines) -> str:
    """Cores by process."""
    if absent := missing(lines):
        return run(*absent)
    words = {one.kind: one.words for one in MEASURED}
    peak = VALUES["peak"] / VALUES["requests"]
    rows = []
    total = 0.0
    for process, by_kind in _cores(lines).items():
        used = sum(by_kind.values())
        total += used
        first = sorted(by_kind, key=lambda kind: -by_kind[kind])[:2]
        most = ", ".join(f"{words[kind]} {by_kind[kind] / used:.0%}" for kind in first if used and by_kind[kind])
        rows.append((process, about(used), about(used * peak), most))
    rows.append(("all", about(total), about(total * peak), ""))
    requests, at_peak = (f"cores at {about(VALUES[name])}/s" for name in ("requests", "peak"))
    return table(("process", requests, at_peak, "most of it for"), rows)


def _cores(lines: Lines) -> dict[str, dict[str, float]]:
    known = {one.kind: found for one in MEASURED if (found := cost(lines, one)) is not None}
    return cores(rates(), known, VALUES["headroom"])


def databases(lines: Lines) -> str:
    """Servers of Postgres and of Redis."""
    if absent := missing(lines):
        return run(*absent)
    found, used = rates(), _cores(lines)
    log = {kind: found[kind] * _log_bytes(lines, kind) for kind in ("cart", "order")}
    peak = VALUES["peak"] / VALUES["requests"]
    counted = [
        servers(
            {kind: value * factor for kind, value in used["postgres"].items()},
            sum(log.values()) * factor,
            VALUES["server_cores"],
            VALUES["server_wal"],
        )
        for factor in (1, peak)
    ]
    redis = sum(used["redis"].values())
    rows = [
        ("log of carts and orders", *(f"{size(sum(log.values()) * factor)}/s" for factor in (1, peak)), "bytes of WAL"),
        (
            "Postgres for carts and orders: shards by buyer",
            *(f"{one.buying:,}" for one in counted),
            "; ".join(
                f"by {what} {' and '.join(f'{value:,}' for value in values)}"
                for what, values in (
                    ("cores", [one.by_cores for one in counted]),
                    ("log", [one.by_log for one in counted]),
                )
            ),
        ),
        (
            "Postgres for pages: standbys of the catalog",
            *(f"{one.reading:,}" for one in counted),
            "what they replay of the primary's log is not counted",
        ),
        (
            "Redis: shards of one thread",
            *(f"{math.ceil(redis * factor):,}" for factor in (1, peak)),
            f"{about(redis)} cores at {about(VALUES['requests'])}/s",
        ),
    ]
    heads = ("server", *(f"at {about(VALUES[name])}/s" for name in ("requests", "peak")), "why")
    return table(heads, rows)


def _log_bytes(lines: Lines, kind: str) -> float:
    one = next(one for one in MEASURED if one.kind == kind)
    line = line_of(lines, one.benchmark, one.line)
    return 0.0 if line is None else float(line["wal_bytes"])


def memory(lines: Lines) -> str:
    """Bytes in Redis."""
    line = line_of(lines, "mixed", "mixed.redis")
    if line is None:
        return run("mixed")
    kept: Mapping[str, Mapping[str, float]] = line["keys"]
    counts = {
        "latest products of a shopper": ("people at one time", VALUES["concurrent_users"]),
        "kept recommendations": ("people a day", VALUES["daily_users"]),
        "online features": ("accounts", VALUES["users"]),
        "pages": ("products whose pages are cached", VALUES["hot_products"]),
    }
    rows, total = [], 0.0
    for name, (words, count) in counts.items():
        if name in kept:
            held = kept[name]["bytes"] * count
            total += held
            rows.append((name, size(kept[name]["bytes"]), about(count), size(held), words))
    rows.append(("all", "", "", size(total), "the design's own estimate of its caches is 610 GB"))
    return table(("what Redis holds", "each", "at full size", "in all", "counted by"), rows)


def lake(lines: Lines) -> str:
    """Bytes of the lake."""
    held, orders = line_of(lines, "cdc", "cdc.bytes"), line_of(lines, "cdc", "cdc.files")
    event = line_of(lines, "capacity", "capacity.event")
    if held is None or orders is None or event is None:
        return run(*(name for name, line in (("cdc", held and orders), ("capacity", event)) if line is None))
    count = float(orders["orders"])
    happened = VALUES["views_a_day"] + VALUES["searches_a_day"] + VALUES["orders_a_day"] * (VALUES["additions"] + 2)
    parts = {
        "orders, whole and newest": (held["liveBytes"] / count, VALUES["orders_a_day"]),
        "orders, with every change and the files kept for a day": (held["lakeBytes"] / count, VALUES["orders_a_day"]),
        "orders, in Postgres": (held["heapBytes"] / count, VALUES["orders_a_day"]),
        "behaviour events (views, searches, additions to carts, order lines)": (event["ours"], happened),
    }
    rows = [
        (words, size(each), about(count), size(each * count), size(each * count * _DAYS))
        for words, (each, count) in parts.items()
    ]
    return table(("what", "each", "a day", "bytes a day", "bytes a year"), rows, texts=0)


def breaks(lines: Lines) -> str:
    """Limits in the order in which they are reached."""
    order = line_of(lines, *ORDER)
    found = limits(lines, VALUES["server_cores"], VALUES["headroom"])
    if order is None or not found:
        return run("checkout")
    rate = float(order["ours"])
    rows = [
        (
            one.what,
            *(about(one.use * factor) for factor in _FACTORS),
            f"{about(one.factor)}x",
            f"{about(rate * one.factor)} orders/s",
            one.bound,
            one.then,
        )
        for one in found
    ]
    heads = (
        "limit",
        *(f"used at {factor}x" for factor in _FACTORS),
        "reached at",
        "that is",
        "what it is",
        "what then",
    )
    head = f"1x is {about(rate)} orders/s, {order['machine']}, `{ORDER[1]}`; 1 is all of a limit.\n\n"
    return head + table(heads, rows, texts=2)


def history(lines: Lines) -> str:
    """What grows with the orders that were ever placed."""
    name = "one refresh against a full build, {} orders"
    small, large = (line_of(lines, "fresh", name.format(label)) for label in ("300k", "3M"))
    if small is None or large is None:
        return run("fresh")
    rows = []
    for words, field, limit, bound in (
        ("full build of the marts", "limit", NIGHT_SECONDS, "the night from 02:00 to 04:00"),
        ("one refresh by changed key", "ours", SELLER_SECONDS, "sellers' marts are two minutes old at most"),
    ):
        power = exponent((3e5, float(small[field])), (3e6, float(large[field])))
        most = size_at(limit, float(large[field]), 3e6, power)
        rows.append(
            (
                words,
                f"{about(float(large[field]))} s",
                f"{power:.2f}",
                about(most),
                f"{about(most / VALUES['orders_a_day'])} days",
                bound,
            )
        )
    heads = ("what grows", "CPU at 3,000,000 orders", "power", "reaches its bound at orders", "of the design", "bound")
    return table(heads, rows)


BLOCKS: Mapping[str, Callable[[Lines], str]] = {
    "given": given,
    "costs": costs,
    "need": need,
    "databases": databases,
    "memory": memory,
    "lake": lake,
    "breaks": breaks,
    "history": history,
}
