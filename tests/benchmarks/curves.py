"""Curves of docs/images, drawn as SVG from the points in docs/results. `make generate` writes them.

A result line that is a curve has the field `curve`: for each series its points, `{"ours": [[x, y], ...]}`. One entry of
CURVES is all that a new picture needs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from tests.benchmarks.results import ROOT, latest

Point = tuple[float, float]
Series = Mapping[str, Sequence[Point]]

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 132, 56, 52
_COLORS = (("#2a78d6", "#5a9ff0"), ("#c2571a", "#f08c4f"), ("#1f8a5b", "#4fc58f"), ("#8a4fbf", "#b98ae0"))
_LABEL_GAP = 15.0
_STYLE = """
.paper { fill: #ffffff } .ink { fill: #1f2328 } .dim { fill: #59636e } .grid { stroke: #d8dee4; stroke-width: 1 }
text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
path { fill: none; stroke-width: 2; stroke-linejoin: round }
"""
_DARK = ".paper { fill: #0d1117 } .ink { fill: #f0f6fc } .dim { fill: #9198a1 } .grid { stroke: #30363d }"


@dataclass(frozen=True)
class Axis:
    """`title` names what is measured and its unit. `log`: equal distances are equal factors; values are above 0.
    Otherwise the axis begins at 0."""

    title: str
    log: bool = False


@dataclass(frozen=True)
class Curve:
    """One picture. `series` takes the newest line per name of the benchmark and returns the points to draw."""

    path: Path
    benchmark: str
    title: str
    x: Axis
    y: Axis
    series: Callable[[Mapping[str, Mapping[str, Any]]], Series]  # Any: fields of a result line

    def render(self) -> str:
        """The picture of the newest results; without any, a picture that says which command measures them."""
        return draw(self.title, self.x, self.y, self.series(latest(self.benchmark)), f"souk bench {self.benchmark}")


def of_line(name: str) -> Callable[[Mapping[str, Mapping[str, Any]]], Series]:  # Any: fields of a result line
    """The `curve` of one result line."""
    return lambda lines: lines.get(name, {}).get("curve", {})


def draw(title: str, x: Axis, y: Axis, series: Series, command: str) -> str:
    """An SVG that is readable on light and on dark pages."""
    drawn = {name: points for name, points in series.items() if points}
    parts = [_text(_LEFT, 28, title, "ink title")]
    if drawn:
        parts += _plot(x, y, drawn)
    else:
        parts.append(_text(_LEFT, _HEIGHT / 2, f"No results yet: run {command}.", "dim"))
    colors = [f".s{at} {{ stroke: {light} }} .f{at} {{ fill: {light} }}" for at, (light, _) in enumerate(_COLORS)]
    dark = [f".s{at} {{ stroke: {color} }} .f{at} {{ fill: {color} }}" for at, (_, color) in enumerate(_COLORS)]
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f"<style>{_STYLE}{' '.join(colors)}",
            f"@media (prefers-color-scheme: dark) {{ {_DARK} {' '.join(dark)} }}</style>",
            f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>',
            *parts,
            "</svg>\n",
        ]
    )


def ticks(axis: Axis, values: Sequence[float]) -> list[float]:
    """Round numbers from at or below the least value (0 on a linear axis) to at or above the greatest one."""
    low, high = min(values), max(values) or 1.0
    if axis.log:
        first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    rough = high / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [round(step * number, 12) for number in range(math.ceil(high / step - 1e-9) + 1)]


def _plot(x: Axis, y: Axis, series: Series) -> list[str]:
    points = [point for line in series.values() for point in line]
    across, up = ticks(x, [at for at, _ in points]), ticks(y, [value for _, value in points])
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    place_x, place_y = _scale(x, across, _LEFT, right), _scale(y, up, bottom, _TOP)
    parts = [_text(_LEFT, _TOP - 10, y.title, "dim"), _text(right, _HEIGHT - 12, x.title, "dim", "end")]
    for tick in up:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{place_y(tick)}" y2="{place_y(tick)}"/>')
        parts.append(_text(_LEFT - 8, place_y(tick) + 4, _number(tick), "dim", "end"))
    parts += [_text(place_x(tick), bottom + 18, _number(tick), "dim", "middle") for tick in across]
    ends: list[tuple[float, str, int]] = []
    for at, (name, line) in enumerate(series.items()):
        kind, spots = at % len(_COLORS), [(place_x(px), place_y(py)) for px, py in sorted(line)]
        parts.append(f'<path class="s{kind}" d="M' + " L".join(f"{px},{py}" for px, py in spots) + '"/>')
        parts += [f'<circle class="f{kind}" cx="{px}" cy="{py}" r="3"/>' for px, py in spots]
        ends.append((spots[-1][1], name, kind))
    last = -math.inf
    for height, name, kind in sorted(ends):  # names at the ends of their lines, one below another where these meet
        last = max(height, last + _LABEL_GAP)
        parts.append(_text(right + 10, round(last + 4, 1), name, f"f{kind}"))
    return parts


def _scale(axis: Axis, marks: Sequence[float], begin: float, end: float) -> Callable[[float], float]:
    def on(value: float) -> float:
        return math.log10(value) if axis.log else value

    low, high = on(marks[0]), on(marks[-1])
    return lambda value: round(begin + (on(value) - low) / (high - low) * (end - begin), 1)


def _number(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def _by_engine(lines: Mapping[str, Mapping[str, Any]]) -> Series:  # Any: fields of a result line
    """Processor time of both engines, one point per size of the shop."""
    sizes = [line for name, line in lines.items() if name.endswith("orders, processor time")]
    return {
        title: [(line["orderLines"], line[field]) for line in sizes]
        for title, field in (("DuckDB", "ours"), ("Spark", "limit"))
    }


def _by_history(lines: Mapping[str, Mapping[str, Any]]) -> Series:  # Any: fields of a result line
    """Processor time of one refresh and of one full build, one point per size of the history."""
    sizes = [line for name, line in lines.items() if name.startswith("one refresh against a full build")]
    return {
        title: [(_ORDERS[line["history"]], line[field]) for line in sizes]
        for title, field in (("refresh", "ours"), ("full build", "limit"))
    }


def _by_products(lines: Mapping[str, Mapping[str, Any]]) -> Series:  # Any: fields of a result line
    """Processor time of a page that no cache holds and of a search, one point per size of the shop."""
    kinds = {"list": "list.miss", "detail": "detail.miss", "search": "search"}
    return {
        title: [(count, lines[f"{name}{suffix}"]["ours"]) for suffix, count in _PRODUCTS if f"{name}{suffix}" in lines]
        for title, name in kinds.items()
    }


def _together(*names: str) -> Callable[[Mapping[str, Mapping[str, Any]]], Series]:  # Any: fields of a result line
    """The curves of several result lines in one picture."""
    return lambda lines: {
        title: points for name in names for title, points in lines.get(name, {}).get("curve", {}).items()
    }


_PRODUCTS = (("", 2e3), (".50k", 5e4), (".1M", 1e6))
_ORDERS = {"30k": 3e4, "300k": 3e5, "3M": 3e6}
_IMAGES = ROOT / "docs" / "images"
CURVES: tuple[Curve, ...] = (
    Curve(
        _IMAGES / "cdc-growth.svg",
        "cdc",
        "Change capture: cost of a batch as the lake's logs grow",
        Axis("batches and folds already in the log", log=True),
        Axis("CPU ms"),
        of_line("cdc.growth"),
    ),
    Curve(
        _IMAGES / "spark-crossover.svg",
        "spark",
        "Pairs and sequences of all orders: DuckDB and Spark",
        Axis("order lines", log=True),
        Axis("CPU s", log=True),
        _by_engine,
    ),
    Curve(
        _IMAGES / "fresh-growth.svg",
        "fresh",
        "Marts: one refresh and one full build as the history grows",
        Axis("orders in the history", log=True),
        Axis("CPU s", log=True),
        _by_history,
    ),
    Curve(
        _IMAGES / "reads-growth.svg",
        "reads",
        "Pages that no cache holds, and searches, as the shop grows",
        Axis("products", log=True),
        Axis("CPU ms", log=True),
        _by_products,
    ),
    Curve(
        _IMAGES / "capacity-clients.svg",
        "capacity",
        "Orders and pages a second as clients are added",
        Axis("clients in a closed loop", log=True),
        Axis("answers a second", log=True),
        _together("capacity.orders", "capacity.pages"),
    ),
    Curve(
        _IMAGES / "capacity-wait.svg",
        "capacity",
        "Waits as requests arrive faster",
        Axis("percent of the highest measured rate"),
        Axis("ms", log=True),
        _together("capacity.orders.wait", "capacity.pages.wait"),
    ),
)
