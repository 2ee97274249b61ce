"""A curve is drawn from the points of the result lines, at places that its axes say."""

import re
from html import unescape
from pathlib import Path

import pytest

from tests.benchmarks.curves import CURVES, Axis, Curve, draw, of_line, ticks

LINEAR, LOG = Axis("orders"), Axis("seconds", log=True)


@pytest.mark.parametrize(
    ("axis", "values", "expected"),
    [
        (LINEAR, [3.0, 97.0], [0, 20, 40, 60, 80, 100]),
        (LINEAR, [0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (LINEAR, [4.1, 4.1], [0, 1, 2, 3, 4, 5]),
        (LINEAR, [0.0], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (LOG, [30_000.0, 3_000_000.0], [10_000, 100_000, 1_000_000, 10_000_000]),
        (LOG, [0.45, 67.0], [0.1, 1, 10, 100]),
        (LOG, [10.0, 10.0], [10, 100]),
    ],
)
def test_marks_are_round_and_hold_every_value(axis: Axis, values: list[float], expected: list[float]) -> None:
    assert ticks(axis, values) == pytest.approx(expected)


def test_points_lie_between_the_marks_of_both_axes() -> None:
    picture = draw("T", LINEAR, LOG, {"ours": [(0, 1), (50, 10), (100, 100)], "limit": [(100, 100)]}, "souk bench x")

    spots = [(float(x), float(y)) for x, y in re.findall(r'<circle class="f0" cx="([\d.]+)" cy="([\d.]+)"', picture)]
    (left, bottom), (middle, half), (right, top) = spots
    assert [middle, half] == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=0.1)
    names = re.findall(r'y="([\d.]+)"[^>]*>(ours|limit)<', picture)
    assert abs(float(names[0][0]) - float(names[1][0])) >= 15, "names of lines that end together are apart"


def test_a_name_is_text_and_the_page_may_be_dark() -> None:
    picture = draw("a < b & c", LINEAR, LINEAR, {"<x>": [(1, 1), (2, 2)]}, "souk bench x")

    texts = {unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture)}
    assert {"a < b & c", "<x>"} <= texts
    assert "prefers-color-scheme: dark" in picture


def test_without_results_the_picture_names_the_command() -> None:
    curve = Curve(Path("x.svg"), "no_such_benchmark", "T", LINEAR, LINEAR, of_line("line"))

    assert "No results yet: run souk bench no_such_benchmark." in curve.render()


def test_a_page_shows_every_curve() -> None:
    root = Path(__file__).parents[3]
    pages = "".join(page.read_text() for page in (root / "docs").glob("*.md"))
    assert [curve.path.name for curve in CURVES if f"images/{curve.path.name}" not in pages] == []
